//! The conversation: questions and answers as lines, so that tests can hold it as well as people.

use std::io::{self, BufRead, IsTerminal as _, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

/// What Ctrl-C types.
const INTERRUPT: u8 = 3;

/// Someone who can be asked.
pub trait Asker {
    /// Tells something; a line end is added.
    ///
    /// # Errors
    /// If it cannot be told.
    fn tell(&mut self, text: &str) -> io::Result<()>;

    /// Asks for a line; an empty one is the default, where there is one.
    ///
    /// # Errors
    /// If nobody answers any more.
    fn ask(&mut self, question: &str, default: Option<&str>) -> io::Result<String>;

    /// Asks for a line that nobody may see.
    ///
    /// # Errors
    /// If nobody answers any more.
    fn ask_secret(&mut self, question: &str) -> io::Result<String>;

    /// Asks until the answer can be read.
    ///
    /// # Errors
    /// If nobody answers any more.
    fn ask_for<T>(
        &mut self,
        question: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> io::Result<T>
    where
        Self: Sized,
    {
        loop {
            match read(&self.ask(question, default)?) {
                Ok(answer) => return Ok(answer),
                Err(wrong) => self.tell(&format!("  {wrong}"))?,
            }
        }
    }

    /// Asks for yes or no.
    ///
    /// # Errors
    /// If nobody answers any more.
    fn confirm(&mut self, question: &str, default: bool) -> io::Result<bool>
    where
        Self: Sized,
    {
        let word = if default { "yes" } else { "no" };
        self.ask_for(question, Some(word), |answer| match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("please answer yes or no".into()),
        })
    }
}

/// A person at standard input and output, or lines in their place.
#[derive(Debug)]
pub struct Console<R, W> {
    input: R,
    output: W,
}

impl Console<io::StdinLock<'static>, io::Stdout> {
    /// The person at the terminal.
    #[must_use]
    pub fn standard() -> Self {
        Self { input: io::stdin().lock(), output: io::stdout() }
    }
}

impl<R: BufRead, W: Write> Console<R, W> {
    /// Somebody else.
    pub fn new(input: R, output: W) -> Self {
        Self { input, output }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Err(broken_off());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// A line that Ctrl-C breaks off.
    fn secret_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            if self.input.read_exact(&mut byte).is_err() || byte[0] == INTERRUPT {
                return Err(broken_off());
            }
            line.push(byte[0]);
        }
        let line =
            String::from_utf8(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn broken_off() -> io::Error {
    let message = "the questions were not answered to the end; no configuration has been written";
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

impl<R: BufRead, W: Write> Asker for Console<R, W> {
    fn tell(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.output, "{text}")
    }

    fn ask(&mut self, question: &str, default: Option<&str>) -> io::Result<String> {
        match default {
            Some(default) => write!(self.output, "{question} [{default}]: ")?,
            None => write!(self.output, "{question}: ")?,
        }
        self.output.flush()?;
        let line = self.line()?;
        let answer = line.trim();
        Ok(if answer.is_empty() { default.unwrap_or_default().to_owned() } else { answer.to_owned() })
    }

    fn ask_secret(&mut self, question: &str) -> io::Result<String> {
        // Before the question: whoever is quick must not be shown either.
        let silence = Silence::begin();
        write!(self.output, "{question}: ")?;
        self.output.flush()?;
        let line = self.secret_line();
        if silence.is_some() {
            // The person's own line end was not shown either.
            writeln!(self.output)?;
        }
        line
    }
}

/// A terminal that shows nothing of what is typed, until this goes. Ctrl-C ends a line there instead of the program, which
/// would leave a terminal behind that shows nothing.
struct Silence(rustix::termios::Termios);

impl Silence {
    /// `None` where standard input is no terminal: nothing shows anything then.
    fn begin() -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // There is nobody to tell that the terminal went away.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation<T>(
        answers: &str,
        talk: impl FnOnce(&mut Console<&[u8], &mut Vec<u8>>) -> T,
    ) -> (T, String) {
        let mut said = Vec::new();
        let answered = talk(&mut Console::new(answers.as_bytes(), &mut said));
        (answered, String::from_utf8(said).unwrap())
    }

    #[test]
    fn a_question_is_repeated_until_its_answer_can_be_read() {
        let (answer, said) = conversation("maybe\n\n", |asker| asker.confirm("Go on?", true).unwrap());
        assert!(answer);
        assert_eq!(said, "Go on? [yes]:   please answer yes or no\nGo on? [yes]: ");
        let (answer, _) = conversation("  web1 \r\n", |asker| asker.ask("Name", None).unwrap());
        assert_eq!(answer, "web1");
    }

    #[test]
    fn an_end_of_the_answers_is_an_error_and_a_secret_keeps_its_spaces() {
        let (answer, _) = conversation("", |asker| asker.ask("Name", Some("x")).unwrap_err().kind());
        assert_eq!(answer, io::ErrorKind::UnexpectedEof);
        let (answer, _) = conversation(" s3cret \n", |asker| asker.ask_secret("Password").unwrap());
        assert_eq!(answer, " s3cret ");
        let (answer, _) = conversation("s3cr\u{3}", |asker| asker.ask_secret("Password").unwrap_err().kind());
        assert_eq!(answer, io::ErrorKind::UnexpectedEof);
    }
}
