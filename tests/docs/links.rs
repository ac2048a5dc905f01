//! Every link leads somewhere: to a file that is there, and to a heading in it.

use std::path::{Component, Path, PathBuf};

use crate::pages::{Page, pages, root};

/// `a/../b` as `b`, without asking the disk.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{path:?} leads out of the repository"),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with a link of this page.
fn fault(page: &Page, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let there = if file.is_empty() {
        Path::new(&page.name).to_owned()
    } else {
        plain(&Path::new(&page.name).parent().unwrap().join(file))
    };
    if !file.is_empty() && !root().join(&there).exists() {
        return Some(format!("{}: {link} leads to no file", page.name));
    }
    let anchor = anchor?;
    let known = if file.is_empty() { page.anchors() } else { Page::read(&there).anchors() };
    let missing = !known.iter().any(|known| known == anchor);
    missing.then(|| format!("{}: {link} leads to no heading, there are {known:?}", page.name))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let links: usize = pages.iter().map(|page| page.links().len()).sum();
    assert!(links > 60, "only {links} links were found");
    let faults: Vec<_> = pages
        .iter()
        .flat_map(|page| page.links().into_iter().filter_map(|link| fault(page, &link)))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn no_backtick_is_left_alone_in_its_line() {
    for page in pages() {
        for line in page.prose() {
            assert!(line.matches('`').count() % 2 == 0, "{}: {line}", page.name);
        }
    }
}

#[test]
fn a_link_to_nothing_is_seen() {
    let page = Page { name: "docs/x.md".into(), text: "# Here\n".into() };
    for good in ["#here", "../README.md", "mqtt.md#events", "images/dashboard.png"] {
        assert_eq!(fault(&page, good), None);
    }
    for bad in ["#there", "../README", "mqtt.md#event", "images/none.png"] {
        assert!(fault(&page, bad).is_some(), "{bad}");
    }
}
