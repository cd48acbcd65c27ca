//! The committed schema is the one that the types make, and an independent validator agrees with it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

fn committed() -> Value {
    let text = fs::read_to_string("schemas/experiment.schema.json").expect("the schema is committed");
    serde_json::from_str(&text).expect("the schema is JSON")
}

fn experiments() -> Vec<PathBuf> {
    walkdir::WalkDir::new("experiments")
        .into_iter()
        .filter_map(|entry| Some(entry.ok()?.into_path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .filter(|path| path.file_name().is_some_and(|name| name != "burnlab.toml"))
        .collect()
}

fn as_json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).expect("TOML")).expect("JSON")
}

#[test]
fn the_committed_schema_is_fresh() {
    assert!(
        committed() == burnlab::spec::schema(),
        "schemas/experiment.schema.json is old: run `just schema`"
    );
}

#[test]
fn every_experiment_is_valid_under_the_schema() {
    let validator = jsonschema::validator_for(&committed()).expect("the schema is a schema");
    let files = experiments();
    assert!(!files.is_empty());
    for path in files {
        let json = as_json(&fs::read_to_string(&path).expect("the file is read"));
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn mistakes_are_invalid_under_the_schema() {
    let validator = jsonschema::validator_for(&committed()).expect("the schema is a schema");
    let start = "[data]\ndataset = 'mnist'\n";
    let layers = |layer: &str| format!("{start}[model.classifier]\nlayers = [{layer}]\n");
    let bad = [
        format!("{start}trian = 3"),
        format!("{start}train = 0"),
        "modle = 3".to_string(),
        "[data]\ndataset = 'minst'".to_string(),
        layers("{ conv2d = { filters = 4, kernel = 3, strid = 2 } }"),
        layers("{ conv2d = { kernel = 3 } }"),
        layers("{ conv2d = { filters = 0, kernel = 3 } }"),
        layers("{ conv2d = { filters = 4, kernel = 3 }, dropout = { rate = 0.5 } }"),
        layers("{ dropout = { rate = 1.0 } }"),
        layers("{ dense = { units = 'clases' } }"),
        layers("{ dense = { units = 3, activation = 'rleu' } }"),
        layers("'dense'"),
        layers("'flaten'"),
        "[train]\noptimizer = { adm = {} }".to_string(),
        "[train]\noptimizer = { adam = { learning_rate = -1 } }".to_string(),
        "[augment]\ncopies = [{ rotate = { degres = 3 } }]".to_string(),
        "[variants.a.train]\nepoch = 3".to_string(),
        "[grid]\n'train.epochs' = []".to_string(),
        "[[expect]]\nclaim = 'x'\nvariant = 'a'\natleast = 3".to_string(),
    ];
    for text in bad {
        assert!(!validator.is_valid(&as_json(&text)), "the schema accepts:\n{text}");
    }
    let good = [
        layers("'flatten', 'batch_normalization', { activation = { function = 'relu' } }"),
        layers("{ dense = { units = 3, activation = { elu = { alpha = 2 } } } }"),
        "[variants.a]\nmodel.classifier.layers.deep.filters = 3\ntrain.epochs = 4".to_string(),
        "extends = 'base.toml'\n[train]\noptimizer = 'adam'".to_string(),
        "[augment]\ncopies = ['flip', [{ rotate = { degrees = [-3, 3] } }, { zoom = { factor = 0.9 } }]]".to_string(),
    ];
    for text in good {
        let errors: Vec<String> = validator.iter_errors(&as_json(&text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "the schema refuses:\n{text}\n{errors:#?}");
    }
}
