//! The names that automations, dashboards and Home Assistant's registries hold on to: they outlive new labels,
//! restarts and reinstallations, and stay apart whatever servers and jobs are called.

use std::collections::{HashMap, HashSet};

use crate::config::Config;
use crate::model::{JobKey, ServerName};

/// The names of a configuration's devices and entities.
#[derive(Debug)]
pub(crate) struct Naming {
    instance: String,
    base: String,
    servers: HashMap<ServerName, String>,
    jobs: HashMap<JobKey, String>,
}

impl Naming {
    /// The names of what `config` holds, for this installation.
    pub(crate) fn new(config: &Config, instance: &str) -> Self {
        let base = short(&config.mqtt.base_topic);
        let servers = server_slugs(config);
        let jobs = job_stems(config, &base, &servers);
        Self { instance: instance.to_owned(), base, servers, jobs }
    }

    /// The hub's device; what its unique ids begin with.
    pub(crate) fn hub_id(&self) -> String {
        self.instance.clone()
    }

    /// A server's device; what its unique ids begin with.
    pub(crate) fn server_id(&self, server: &ServerName) -> String {
        format!("{}_{}", self.instance, server_slug(&self.servers, server))
    }

    /// A job's device; what its unique ids begin with.
    pub(crate) fn job_id(&self, job: &JobKey) -> String {
        format!("{}_{}", self.server_id(&job.server), job.job)
    }

    /// What the hub's entity ids begin with, after their domain.
    pub(crate) fn hub_stem(&self) -> String {
        self.base.clone()
    }

    /// What a server's entity ids begin with, after their domain.
    pub(crate) fn server_stem(&self, server: &ServerName) -> String {
        format!("{}_{}", self.base, server_slug(&self.servers, server))
    }

    /// What a job's entity ids begin with, after their domain. Jobs that would share it have the end of their id
    /// in it.
    pub(crate) fn job_stem(&self, job: &JobKey) -> String {
        let unlabelled = || format!("{}_{}", self.server_stem(&job.server), job.job);
        self.jobs.get(job).cloned().unwrap_or_else(unlabelled)
    }
}

/// The id that an entity asks for: `sensor.jetbackup_remote_web1_accounts_state` of the stem
/// `jetbackup_remote_web1_accounts`. Home Assistant gives it unless it is taken, once: who renames an entity keeps
/// what they chose.
pub(crate) fn entity_id(domain: &str, stem: &str, key: &str) -> String {
    format!("{domain}.{stem}_{key}")
}

/// A slug for each server, no two alike; of those that would be, the first in the configuration keeps it.
fn server_slugs(config: &Config) -> HashMap<ServerName, String> {
    let ids: Vec<String> = config.jobs.iter().map(|job| format!("_{}", job.key.job)).collect();
    // With an id at its end, a server's device could be taken for a job's of another server.
    let like_a_job = |slug: &str| ids.iter().any(|id| slug.ends_with(id.as_str()));
    let mut used = HashSet::new();
    let slugs = config.servers.iter().map(|server| {
        let free = |slug: &str| !like_a_job(slug) && !used.contains(slug);
        let chosen = numbered(slug(server.name.as_str()), free);
        used.insert(chosen.clone());
        (server.name.clone(), chosen)
    });
    slugs.collect()
}

/// A stem for each job, no two alike and none a server's. All that would be alike get the end of their id, so that none
/// is taken for the other; which of them came first says nothing.
fn job_stems(config: &Config, base: &str, servers: &HashMap<ServerName, String>) -> HashMap<JobKey, String> {
    let server_stem = |server: &ServerName| format!("{base}_{}", server_slug(servers, server));
    let plain: Vec<String> = config
        .jobs
        .iter()
        .map(|job| format!("{}_{}", server_stem(&job.key.server), short(&job.label)))
        .collect();
    let mut uses: HashMap<String, u32> = HashMap::new();
    for stem in plain.iter().cloned().chain(config.servers.iter().map(|server| server_stem(&server.name))) {
        *uses.entry(stem).or_default() += 1;
    }
    let mut used: HashSet<String> = uses.keys().cloned().collect();
    let stems = config.jobs.iter().zip(plain).map(|(job, plain)| {
        if uses.get(&plain) == Some(&1) {
            return (job.key.clone(), plain);
        }
        let id = job.key.job.to_string();
        // An id is 24 ASCII digits.
        let chosen = numbered(format!("{plain}_{}", &id[18..]), |stem| !used.contains(stem));
        used.insert(chosen.clone());
        (job.key.clone(), chosen)
    });
    stems.collect()
}

/// `plain`, else the first of `plain_2`, `plain_3` and so on that is free.
fn numbered(plain: String, free: impl Fn(&str) -> bool) -> String {
    let mut chosen = plain.clone();
    let mut number = 1u32;
    while !free(&chosen) {
        number += 1;
        chosen = format!("{plain}_{number}");
    }
    chosen
}

/// The slug of a server; one that is not configured has nobody to be told from.
fn server_slug(slugs: &HashMap<ServerName, String>, server: &ServerName) -> String {
    slugs.get(server).cloned().unwrap_or_else(|| slug(server.as_str()))
}

/// The slug of a text of any length: an entity id has 255 characters at most, and is made of up to three of these.
fn short(text: &str) -> String {
    // A slug is ASCII.
    let mut slug = slug(text);
    slug.truncate(64);
    slug.trim_end_matches('_').to_owned()
}

/// `text` in lower case ASCII letters and digits, whatever else is in it as one `_`; `x` if nothing is left.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            // The accent of a letter that is written as two characters.
            '\u{300}'..='\u{36f}' => {}
            _ => match ascii(c) {
                Some(letters) => slug.push_str(letters),
                None if slug.ends_with('_') => {}
                None => slug.push('_'),
            },
        }
    }
    let slug = slug.trim_matches('_');
    if slug.is_empty() { "x".to_owned() } else { slug.to_owned() }
}

/// The letters that stand for `c`, a small letter of a Latin alphabet.
fn ascii(c: char) -> Option<&'static str> {
    Some(match c {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' | 'ª' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' | 'ċ' | 'ĉ' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'é' | 'è' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' | 'ģ' | 'ġ' | 'ĝ' => "g",
        'ħ' | 'ĥ' => "h",
        'í' | 'ì' | 'î' | 'ï' | 'ī' | 'į' | 'ı' | 'ĩ' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ł' | 'ľ' | 'ĺ' | 'ļ' => "l",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' | 'ø' | 'ō' | 'ő' | 'º' => "o",
        'œ' => "oe",
        'ŕ' | 'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' | 'ŝ' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'þ' => "th",
        'ú' | 'ù' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'ų' | 'ŭ' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ž' | 'ż' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accents_go_and_the_rest_is_underscores() {
        for (text, wanted) in [
            ("jetbackup-remote", "jetbackup_remote"),
            ("Copias de cuentas (diarias)", "copias_de_cuentas_diarias"),
            ("CONFIGURACIÓN Añeja Pingüino", "configuracion_aneja_pinguino"),
            ("Configuracio\u{301}n", "configuracion"),
            ("__a..b__", "a_b"),
            ("Straße İŞ", "strasse_is"),
            ("日本", "x"),
            ("", "x"),
        ] {
            assert_eq!(slug(text), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_is_one_whatever_it_is_made_of(text in any::<String>()) {
            let once = slug(&text);
            prop_assert!(once.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_')));
            prop_assert!(!once.is_empty() && !once.contains("__"));
            prop_assert_eq!(slug(&once), once);
        }
    }
}
