//! Items as `docker pass` writes and reads them.
//!
//! Label `<group>:<name>:<id>`; attributes `service:group`, `service:name`, `id`, and each metadata key behind `x_`.
//! Docker's library sets no `xdg:schema` and drops every other attribute when it reads; so do we, but an update here
//! keeps what other programs added. See `store/keychain` of github.com/docker/secrets-engine.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use pattern_matcher::Id;
use zbus::zvariant::{OwnedValue, Value};

use super::failure::Outcome;
use crate::Info;

const GROUP: &str = "service:group";
const NAME: &str = "service:name";
const ID: &str = "id";
const METADATA_PREFIX: &str = "x_";

pub(super) const LABEL_PROPERTY: &str = "org.freedesktop.Secret.Item.Label";
pub(super) const ATTRIBUTES_PROPERTY: &str = "org.freedesktop.Secret.Item.Attributes";

/// Whose items these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) group: String,
    pub(super) name: String,
}

impl Service {
    /// The label of an item.
    pub(super) fn label(&self, id: &Id) -> String {
        format!("{}:{}:{id}", self.group, self.name)
    }

    /// The attributes that find all items, or the one with an id.
    pub(super) fn search<'a>(&'a self, id: Option<&'a Id>) -> HashMap<&'a str, &'a str> {
        let mut attributes = HashMap::from([(GROUP, self.group.as_str()), (NAME, self.name.as_str())]);
        attributes.extend(id.map(|id| (ID, id.as_str())));
        attributes
    }

    /// The attributes of an item.
    pub(super) fn attributes(&self, id: &Id, metadata: &BTreeMap<String, String>) -> HashMap<String, String> {
        let prefixed = metadata.iter().map(|(key, value)| (format!("{METADATA_PREFIX}{key}"), value.clone()));
        let own = self.search(Some(id)).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        prefixed.chain(own).collect()
    }
}

/// What an item tells about itself, without its value.
#[derive(Debug)]
pub(super) struct Properties {
    pub(super) label: String,
    pub(super) attributes: HashMap<String, String>,
    pub(super) created: Option<SystemTime>,
    modified: Option<SystemTime>,
}

impl Properties {
    pub(super) fn parse(mut all: HashMap<String, OwnedValue>) -> Outcome<Self> {
        let mut time = |name| {
            let seconds = all.remove(name).and_then(|value| u64::try_from(value).ok()).filter(|&seconds| seconds > 0);
            seconds.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        };
        let (created, modified) = (time("Created"), time("Modified"));
        let attributes = all.remove("Attributes").map(HashMap::try_from).transpose()?.unwrap_or_default();
        let label = all.remove("Label").map(String::try_from).transpose()?.unwrap_or_default();
        Ok(Self { label, attributes, created, modified })
    }

    /// What a caller sees. None when the item is not one of this service's, or its id is missing or not valid.
    pub(super) fn info(&self, service: &Service) -> Option<Info> {
        let is = |key, value: &str| self.attributes.get(key).is_some_and(|own| own == value);
        if !is(GROUP, &service.group) || !is(NAME, &service.name) {
            return None;
        }
        let id = Id::parse(self.attributes.get(ID)?).ok()?;
        let own =
            |(key, value): (&String, &String)| Some((key.strip_prefix(METADATA_PREFIX)?.to_owned(), value.clone()));
        let metadata = self.attributes.iter().filter_map(own).collect();
        Some(Info { id, metadata, created_at: self.created, modified_at: self.modified })
    }

    /// The attributes after an update: the new ones, and those that other programs added.
    pub(super) fn updated(&self, new: HashMap<String, String>) -> HashMap<String, String> {
        let foreign = self
            .attributes
            .iter()
            .filter(|(key, _)| !key.starts_with(METADATA_PREFIX) && ![GROUP, NAME, ID].contains(&key.as_str()));
        foreign.map(|(key, value)| (key.clone(), value.clone())).chain(new).collect()
    }
}

/// Attributes as the value of a property.
pub(super) fn attributes_value(attributes: &HashMap<String, String>) -> Value<'_> {
    let borrowed: HashMap<&str, &str> = attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    Value::from(borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service { group: "com.docker.docker-pass".into(), name: "docker-pass-cli".into() }
    }

    fn properties(attributes: &[(&str, &str)]) -> Properties {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Properties { label: String::new(), attributes, created: None, modified: None }
    }

    const OURS: [(&str, &str); 2] = [("service:group", "com.docker.docker-pass"), ("service:name", "docker-pass-cli")];

    #[test]
    fn metadata_travels_behind_its_prefix() {
        let id = Id::parse("team/db").unwrap();
        let metadata = BTreeMap::from([("owner".to_owned(), "ops".to_owned()), ("x_id".to_owned(), "1".to_owned())]);
        let attributes = service().attributes(&id, &metadata);
        assert_eq!(attributes.get("x_owner").unwrap(), "ops");
        assert_eq!(attributes.get("x_x_id").unwrap(), "1");
        let read = Properties { attributes, ..properties(&[]) }.info(&service()).unwrap();
        assert_eq!((read.id, read.metadata), (id, metadata));
    }

    #[test]
    fn items_without_a_valid_id_or_of_others_are_passed_over() {
        let with = |extra: &[(&'static str, &'static str)]| properties(&[&OURS[..], extra].concat()).info(&service());
        assert!(with(&[("id", "a/b")]).is_some());
        assert!(with(&[]).is_none());
        assert!(with(&[("id", "")]).is_none());
        assert!(with(&[("id", "a//b")]).is_none());
        assert!(with(&[("id", "a/*")]).is_none());
        assert!(properties(&[OURS[0], ("id", "a")]).info(&service()).is_none());
        assert!(properties(&[OURS[0], ("service:name", "other"), ("id", "a")]).info(&service()).is_none());
    }

    #[test]
    fn an_update_replaces_metadata_and_keeps_what_others_added() {
        let old = properties(&[OURS[0], OURS[1], ("id", "a"), ("x_owner", "ops"), ("xdg:schema", "generic")]);
        let new = service().attributes(&Id::parse("b").unwrap(), &BTreeMap::new());
        let updated = old.updated(new);
        assert_eq!(updated.get("id").unwrap(), "b");
        assert_eq!(updated.get("xdg:schema").unwrap(), "generic");
        assert!(!updated.contains_key("x_owner"));
        assert_eq!(old.info(&service()).unwrap().metadata.len(), 1);
    }
}
