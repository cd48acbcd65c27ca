//! The committed schema is the one that the types make. An independent validator and an editor's TOML server
//! hold the experiments against it among the peer checks.

use std::fs;

#[test]
fn the_committed_schema_is_fresh() {
    let text =
        fs::read_to_string("schemas/experiment.schema.json").expect("the schema is committed");
    let committed: serde_json::Value = serde_json::from_str(&text).expect("the schema is JSON");
    assert!(
        committed == burnlab::config::schema(),
        "schemas/experiment.schema.json is old: run `just schema`"
    );
}

#[test]
fn the_committed_reference_is_fresh() {
    let committed = fs::read_to_string("docs/reference.md").expect("the reference is committed");
    let fresh = burnlab::cli::reference();
    let differing = committed
        .lines()
        .zip(fresh.lines())
        .find(|(one, other)| one != other);
    assert!(
        committed == fresh,
        "docs/reference.md is old: run `just schema`; it differs at {differing:?}"
    );
}

#[test]
fn every_link_within_the_reference_leads_somewhere() {
    let page = burnlab::cli::reference();
    let heading = |line: &str| Some(line.strip_prefix("## ")?.to_lowercase());
    let headings: Vec<String> = page.lines().filter_map(heading).collect();
    let mut links: Vec<&str> = page
        .split("](#")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    links.sort();
    links.dedup();
    assert!(links.len() > 100, "{links:?}");
    let leads = |link: &&str| {
        headings.iter().any(|heading| heading == link)
            || page.contains(&format!("<a id=\"{link}\"></a>"))
    };
    let lost: Vec<&&str> = links.iter().filter(|link| !leads(link)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
