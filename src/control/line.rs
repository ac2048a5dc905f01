//! Lines from a peer that need not be well-meaning: bounded in size and in time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the line is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("nothing was heard for {} s", .after.as_secs())]
    TimedOut { after: Duration },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads one line without its newline; `None` at the end. The whole line must arrive within `limit`.
pub(super) async fn read(
    from: &mut (impl AsyncBufRead + Unpin),
    max: usize,
    limit: Duration,
) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    let reading = read_on(from, &mut line, max);
    let read = timeout(limit, reading).await.map_err(|_| LineError::TimedOut { after: limit })??;
    // The last line may do without a newline.
    Ok(read.or_else(|| Some(line).filter(|line| !line.is_empty())))
}

/// Reads one whole line without its newline; `None` at the end. What was read of the next line so far is in `line`, so
/// that nothing is lost if this is dropped: called again with the same `line`, it goes on.
pub(super) async fn read_on(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    max: usize,
) -> Result<Option<Vec<u8>>, LineError> {
    loop {
        let heard = from.fill_buf().await?;
        let (taken, ended) = match heard.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&heard[..at], true),
            None => (heard, heard.is_empty()),
        };
        if line.len() + taken.len() > max {
            return Err(LineError::TooLong { max });
        }
        line.extend_from_slice(taken);
        let closed = heard.is_empty();
        let used = taken.len() + usize::from(ended && !closed);
        from.consume(used);
        if ended {
            return Ok(if closed { None } else { Some(std::mem::take(line)) });
        }
    }
}

/// Writes a whole line within `limit`.
pub(super) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    line: &[u8],
    limit: Duration,
) -> Result<(), LineError> {
    let written = async {
        to.write_all(line).await?;
        to.flush().await
    };
    Ok(timeout(limit, written).await.map_err(|_| LineError::TimedOut { after: limit })??)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    async fn lines(mut bytes: &[u8], max: usize) -> Vec<Result<Vec<u8>, String>> {
        let mut found = Vec::new();
        loop {
            match read(&mut bytes, max, LIMIT).await {
                Ok(None) => return found,
                Ok(Some(line)) => found.push(Ok(line)),
                Err(error) => {
                    found.push(Err(error.to_string()));
                    return found;
                }
            }
        }
    }

    #[tokio::test]
    async fn lines_end_with_a_newline_or_the_end() {
        assert_eq!(lines(b"", 9).await, []);
        assert_eq!(lines(b"ab\n\ncd", 9).await, [Ok(b"ab".to_vec()), Ok(vec![]), Ok(b"cd".to_vec())]);
    }

    #[tokio::test]
    async fn a_line_may_be_as_long_as_the_cap_and_no_longer() {
        assert_eq!(lines(b"abc\n", 3).await, [Ok(b"abc".to_vec())]);
        let told = Err("the line is longer than 3 bytes".to_owned());
        assert_eq!(lines(b"abcd\n", 3).await, std::slice::from_ref(&told));
        assert_eq!(lines(b"abcd", 3).await, [told]);
    }

    #[tokio::test]
    async fn half_a_line_is_kept_and_is_no_line() {
        let (mut near, far) = tokio::io::duplex(64);
        let (mut far, mut line) = (tokio::io::BufReader::new(far), Vec::new());
        near.write_all(b"on").await.unwrap();
        while line != b"on" {
            // Dropped again and again, as in a `select!`.
            let reading = timeout(Duration::from_millis(1), read_on(&mut far, &mut line, 9)).await;
            assert!(reading.is_err());
        }
        near.write_all(b"e\ntw").await.unwrap();
        assert_eq!(read_on(&mut far, &mut line, 9).await.unwrap(), Some(b"one".to_vec()));
        drop(near);
        assert_eq!(read_on(&mut far, &mut line, 9).await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_not_waited_for() {
        let (near, _far) = tokio::io::duplex(64);
        let mut near = tokio::io::BufReader::new(near);
        assert!(matches!(read(&mut near, 9, LIMIT).await, Err(LineError::TimedOut { .. })));
    }
}
