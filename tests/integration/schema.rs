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
