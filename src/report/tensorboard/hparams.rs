//! What the HPARAMS tab wants to know of a run: what it was set to, and how it ended.
//!
//! No experiment is described here: TensorBoard would take the columns of all runs from whichever
//! description it meets first, and without one it gathers them from the runs themselves.

use protobuf::well_known_types::Value;
use tensorboard_proto::api::Status;
use tensorboard_proto::plugin_hparams::HParamsPluginData;

use super::encode;

pub(super) const PLUGIN: &str = "hparams";
pub(super) const START_TAG: &str = "_hparams_/session_start_info";
pub(super) const END_TAG: &str = "_hparams_/session_end_info";

/// The value of a hyperparameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// A text.
    Text(String),
    /// TensorBoard shows a NaN or infinite number as missing.
    Number(f64),
    /// True or false.
    Bool(bool),
}

impl Parameter {
    fn message(&self) -> Value {
        let mut value = Value::new();
        match self {
            Parameter::Text(text) => value.set_string_value(text.clone()),
            Parameter::Number(number) => value.set_number_value(*number),
            Parameter::Bool(bool) => value.set_bool_value(*bool),
        }
        value
    }
}

/// `now` in seconds since 1970.
pub(super) fn start(parameters: &[(String, Parameter)], now: f64) -> Vec<u8> {
    let mut data = HParamsPluginData::new();
    let session = data.mut_session_start_info();
    session.set_start_time_secs(now);
    for (name, value) in parameters {
        session.mut_hparams().insert(name.clone(), value.message());
    }
    encode(&data)
}

/// `now` in seconds since 1970.
pub(super) fn end(succeeded: bool, now: f64) -> Vec<u8> {
    let mut data = HParamsPluginData::new();
    let session = data.mut_session_end_info();
    session.set_end_time_secs(now);
    session.set_status(if succeeded {
        Status::STATUS_SUCCESS
    } else {
        Status::STATUS_FAILURE
    });
    encode(&data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protobuf::Message;

    #[test]
    fn parameters_keep_their_kind() {
        let parameters = [
            ("variant".to_string(), Parameter::Text("plain".into())),
            ("train.epochs".to_string(), Parameter::Number(10.0)),
            ("bias".to_string(), Parameter::Bool(false)),
        ];
        let data = HParamsPluginData::parse_from_bytes(&start(&parameters, 7.0)).unwrap();
        let session = data.get_session_start_info();
        assert_eq!(session.get_start_time_secs(), 7.0);
        let found = session.get_hparams();
        assert_eq!(found["variant"].get_string_value(), "plain");
        assert_eq!(found["train.epochs"].get_number_value(), 10.0);
        assert!(found["bias"].has_bool_value());
    }

    #[test]
    fn an_end_says_how() {
        for (succeeded, status) in [
            (true, Status::STATUS_SUCCESS),
            (false, Status::STATUS_FAILURE),
        ] {
            let data = HParamsPluginData::parse_from_bytes(&end(succeeded, 9.0)).unwrap();
            assert_eq!(data.get_session_end_info().get_status(), status);
        }
    }
}
