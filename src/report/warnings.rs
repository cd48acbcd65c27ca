//! What a reader of the numbers should know before comparing them.

use super::losses::Losses;
use super::statistics::{Group, groups};
use crate::record::RunRow;

/// A line for losses of different kinds, and one for every variant whose seeds were trained on different devices, whose numbers
/// need not agree, or whose device did not have the precision that was asked for; sentences without their periods.
pub(super) fn warnings(rows: &[RunRow], losses: &Losses) -> Vec<String> {
    let groups = groups(rows);
    let measured = groups.iter().filter(|group| group.done() > 0);
    let of_losses = losses
        .warning(measured.map(|group| group.variant))
        .into_iter();
    of_losses
        .chain(groups.iter().filter_map(mixed_devices))
        .chain(groups.iter().filter_map(unmet_precision))
        .collect()
}

fn mixed_devices(group: &Group) -> Option<String> {
    let devices = group.devices();
    let listed: Vec<String> = devices.iter().map(|name| format!("`{name}`")).collect();
    (devices.len() > 1).then(|| {
        format!(
            "the runs of `{}` were trained on different devices: {}",
            group.variant,
            listed.join(", ")
        )
    })
}

fn unmet_precision(group: &Group) -> Option<String> {
    let unmet = |row: &&RunRow| Some((row.unmet_precision?, row.device.clone()?));
    let (precision, device) = group.rows.iter().find_map(unmet)?;
    Some(format!(
        "`{}` asks for `train.precision = \"{precision}\"`, which `{device}` does not have: its products are more exact",
        group.variant
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Precision;
    use crate::record::Status;

    #[test]
    fn seeds_on_different_devices_are_warned_of() {
        let row = |variant: &str, seed, device: &str| RunRow {
            status: Status::Done,
            device: Some(device.to_string()),
            ..RunRow::unfinished(variant, seed, "id", Vec::new())
        };
        let rows = [
            row("plain", 0, "cpu"),
            row("plain", 1, "cuda:0 (NVIDIA H100)"),
            row("augmented", 0, "cpu"),
            row("augmented", 1, "cpu"),
        ];
        assert_eq!(
            warnings(&rows, &Losses::default()),
            ["the runs of `plain` were trained on different devices: `cpu`, `cuda (NVIDIA H100)`"]
        );
    }

    #[test]
    fn a_precision_that_the_device_does_not_have_is_warned_of() {
        let row = |variant: &str, unmet_precision| RunRow {
            status: Status::Done,
            device: Some("cpu".to_string()),
            unmet_precision,
            ..RunRow::unfinished(variant, 0, "id", Vec::new())
        };
        let rows = [row("exact", None), row("fast", Some(Precision::Bf16))];
        assert_eq!(
            warnings(&rows, &Losses::default()),
            [
                "`fast` asks for `train.precision = \"bf16\"`, which `cpu` does not have: its products are more exact"
            ]
        );
    }
}
