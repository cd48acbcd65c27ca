//! Pages of made-up runs, as text.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::plan::Plan;
use crate::record::{Measured, RunFolder, RunRow, Score, Status};
use crate::report::difference::OF_SHARED_SEEDS;
use crate::report::{ClaimResult, spread};
use crate::run::ResultsFolder;
use crate::run::script::{Ending, Script, ScriptedExperiments};

/// A run with this test accuracy.
fn row(variant: &str, seed: u64, swept: &[(&str, &str)], accuracy: f64) -> RunRow {
    let swept = swept.iter();
    let swept = swept
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    let mut row = RunRow::unfinished(variant, seed, &format!("{variant} {seed}"), swept);
    row.status = Status::Done;
    row.measured = Some(Measured {
        test: Score {
            loss: 1.0 - accuracy,
            accuracy: Some(accuracy),
            ..Score::default()
        },
        parameters: 10,
        ..Measured::default()
    });
    row
}

/// A subject of rows whose folders are nowhere.
fn subject(rows: Vec<RunRow>) -> Subject {
    let swept = rows[0].swept.iter().map(|(key, _)| key.clone()).collect();
    let folders = rows.iter().map(|_| RunFolder::new("nowhere")).collect();
    Subject {
        name: "name".to_string(),
        title: "title".to_string(),
        source: None,
        file: None,
        swept,
        rows,
        folders,
        search: None,
        claims: Vec::new(),
        notes: Vec::new(),
    }
}

fn charts(page: &str) -> Vec<Value> {
    let data = page.split_once(r#"id="charts">"#).unwrap().1;
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

fn kinds(page: &str) -> Vec<String> {
    let kind = |chart: &Value| chart["kind"].as_str().unwrap().to_string();
    charts(page).iter().map(kind).collect()
}

/// The text of an element's cells, row by row, below a caption.
fn table(page: &str, caption: &str) -> Vec<Vec<String>> {
    let after = page
        .split_once(&format!("<caption>{caption}"))
        .expect("the table is there")
        .1;
    let body = after
        .split_once("<tbody>")
        .unwrap()
        .1
        .split_once("</tbody>")
        .unwrap()
        .0;
    let text = |cell: &str| {
        let cell = cell.split_once('>').unwrap().1;
        let cell = cell.split_once("</t").unwrap().0;
        match cell.split_once('>') {
            Some((_, inside)) => inside.split_once('<').unwrap().0.to_string(),
            None => cell.to_string(),
        }
    };
    let cells = |row: &str| {
        row.split("<t")
            .skip(1)
            .filter(|cell| cell.starts_with(['h', 'd']))
            .map(text)
            .collect()
    };
    body.split("<tr>").skip(1).map(cells).collect()
}

#[test]
fn a_report_tells_the_question_the_numbers_the_verdict_and_the_curves() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan(
        "asked",
        "seeds = [0, 1, 2]\n[variants.plain]\n[variants.wild]\n\
         [[expect]]\nclaim = 'it learns'\nvariant = 'plain'\nat_least = 0.7\n\
         [[expect]]\nclaim = 'wild'\nvariant = 'wild'\nat_least = 0.0\n",
    );
    scripted.run(&plan, |assignment| {
        match (&*assignment.row.variant, assignment.row.seed) {
            ("wild", 1) => Script::ending(&[0.5], Ending::Diverges),
            ("wild", _) => Script::done(&[0.5, 0.375, 0.3125]),
            (_, seed) => Script::done(&[0.5, 0.25 + 0.0625 * seed as f64, 0.25]),
        }
    });
    let subject = Subject::of_plan(&plan, &scripted.options.results).unwrap();
    let commands = ["burnlab run asked.toml".to_string()];
    let page = page(&subject, None, &commands).unwrap();
    for part in [
        "<title>a rehearsal · burnlab</title>",
        "<h1>a rehearsal</h1>",
        "2 variants, 5 of 6 runs done, 1 diverged, <span class=\"bad\">1 of 2 claims hold</span>",
        "<span class=\"good\">holds</span>",
        "<span class=\"open\">NOT MEASURED: 1 of 3 runs of `wild` diverged</span>",
        "<li>wild, seed 1 diverged: the training loss became NaN in epoch 2</li>",
        "burnlab run asked.toml</code></pre>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let charts = charts(&page);
    let curve = charts[0].as_object().unwrap();
    assert_eq!(curve["x_name"], "epoch");
    let line = &curve["lines"][0];
    assert_eq!(line["name"], "plain");
    assert_eq!(line["x"], serde_json::json!([1.0, 2.0, 3.0]));
    assert_eq!(line["mean"], serde_json::json!([0.5, 0.6875, 0.75]));
    assert_eq!(line["seeds"][2], serde_json::json!([0.5, 0.625, 0.75]));
    // A seed that diverged is drawn, and has no part in the mean.
    let line = &curve["lines"][1];
    assert_eq!(line["seeds"][1], serde_json::json!([0.5, null, null]));
    assert_eq!(line["mean"], serde_json::json!([0.5, 0.625, 0.6875]));
}

#[test]
fn differences_stand_beside_means_and_say_how_many_seeds_are_missing() {
    let rows = [
        ("plain", [0.90, 0.91, 0.92]),
        ("near", [0.91, 0.90, 0.93]),
        ("far", [0.95, 0.961, 0.97]),
    ];
    let rows = rows.iter().flat_map(|(variant, numbers)| {
        (0..)
            .zip(numbers)
            .map(|(seed, number)| row(variant, seed, &[], *number))
    });
    let subject = subject(rows.collect());
    let of_plain = page(&subject, None, &[]).unwrap();
    assert_eq!(
        table(&of_plain, "test_accuracy"),
        [
            vec!["plain", "3", "0.91000", "0.01000", "reference"],
            vec![
                "near",
                "3",
                "0.91333",
                "0.01528",
                "+0.00333",
                "−0.02535 to +0.03202",
                "0.667",
                "paired, 3 seeds",
                "not settled: 94 more"
            ],
            vec![
                "far",
                "3",
                "0.96033",
                "0.01002",
                "+0.05033",
                "+0.04890 to +0.05177",
                "&lt; 0.001",
                "paired, 3 seeds",
                "settled: larger"
            ],
        ]
    );
    let of_far = page(&subject, Some("far"), &[]).unwrap();
    assert_eq!(table(&of_far, "test_accuracy")[0][4], "−0.05033");
    let error = page(&subject, Some("nera"), &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "error: there is no variant `nera` to compare with\n  hint: did you mean `near`?"
    );
}

#[test]
fn a_grid_is_a_line_a_map_or_parallel_lines_by_its_number_of_keys() {
    let (rates, sizes, names) = (["0.001", "0.1"], ["10", "50"], ["a", "b"]);
    let mut of_keys: [Vec<RunRow>; 3] = Default::default();
    for rate in rates {
        of_keys[0].push(row(
            &format!("rate={rate}"),
            0,
            &[("train.rate", rate)],
            0.5,
        ));
        for size in sizes {
            let swept = [("train.rate", rate), ("train.size", size)];
            of_keys[1].push(row(&format!("rate={rate},size={size}"), 0, &swept, 0.5));
            for name in names {
                let swept = [
                    ("train.rate", rate),
                    ("train.size", size),
                    ("train.name", name),
                ];
                of_keys[2].push(row(
                    &format!("rate={rate},size={size},name={name}"),
                    0,
                    &swept,
                    0.5,
                ));
            }
        }
    }
    let expected = ["curves", "heat", "parallel"];
    for (rows, kind) in of_keys.into_iter().zip(expected) {
        let page = page(&subject(rows), None, &[]).unwrap();
        assert_eq!(kinds(&page), [kind]);
        let chart = &charts(&page)[0];
        match kind {
            "curves" => {
                assert_eq!(chart["log"], true);
                assert_eq!(chart["lines"][0]["x"], serde_json::json!([0.001, 0.1]));
            }
            "heat" => {
                assert_eq!(chart["y"], serde_json::json!(sizes));
                assert_eq!(chart["cells"].as_array().unwrap().len(), 4);
            }
            _ => {
                assert_eq!(chart["axes"][2]["categories"], serde_json::json!(names));
                assert_eq!(
                    chart["lines"][1],
                    serde_json::json!([0.001, 10.0, 1.0, 0.5])
                );
            }
        }
    }
}

#[test]
fn keys_that_move_together_are_one_axis() {
    let point = |images: &str, epochs: &str| {
        let swept = [("data.train", images), ("train.epochs", epochs)];
        row(&format!("train={images},epochs={epochs}"), 0, &swept, 0.5)
    };
    let page = page(
        &subject(vec![point("1000", "40"), point("4000", "10")]),
        None,
        &[],
    )
    .unwrap();
    let chart = &charts(&page)[0];
    assert_eq!(chart["x_name"], "train, epochs");
    assert_eq!(
        chart["categories"],
        serde_json::json!(["1000, 40", "4000, 10"])
    );
}

#[test]
fn no_text_of_a_file_becomes_a_part_of_the_page() {
    const HOSTILE: &str =
        "</script></title><script>alert(1)</script><img src=x onerror=\"alert(2)\">";
    let folder = tempfile::tempdir().unwrap();
    let mut subject = subject(vec![
        row(HOSTILE, 0, &[(HOSTILE, HOSTILE)], 0.5),
        row("b", 0, &[(HOSTILE, "b")], 0.4),
    ]);
    subject.folders[0] = RunFolder::new(folder.path());
    subject.rows[1].status = Status::Failed;
    for text in [&mut subject.title, &mut subject.name] {
        *text = HOSTILE.to_string();
    }
    subject.source = Some(HOSTILE.to_string());
    subject.notes = vec![HOSTILE.to_string()];
    subject.rows[1].reason = Some(HOSTILE.to_string());
    let measured = subject.rows[0].measured.as_mut().unwrap();
    measured.classes = vec![HOSTILE.to_string(), "b".to_string()];
    measured.confusion = vec![vec![1, 2], vec![3, 4]];
    subject.claims = vec![ClaimResult {
        claim: HOSTILE.to_string(),
        variant: HOSTILE.to_string(),
        metric: "test_accuracy".to_string(),
        condition: HOSTILE.to_string(),
        article: None,
        measured: None,
        compared: None,
        bounds: Vec::new(),
        verdict: Verdict::NotMeasured(HOSTILE.to_string()),
        why: None,
    }];
    let settings = toml::Table::from_iter([(
        HOSTILE.to_string(),
        toml::Value::String(HOSTILE.to_string()),
    )]);
    fs::write(folder.path().join("config.toml"), settings.to_string()).unwrap();
    let drawing = folder.path().join("pictures/<b>");
    fs::create_dir_all(&drawing).unwrap();
    fs::write(drawing.join("0001.png"), HOSTILE).unwrap();
    let page = page(&subject, None, &[HOSTILE.to_string()]).unwrap();
    // The numbers of charts, the library and the page's own script.
    assert_eq!(page.matches("<script").count(), 3);
    assert_eq!(page.matches("</script>").count(), 3);
    for part in ["<img", "<script>alert", "<b>", "onerror=\""] {
        assert!(!page.contains(part), "{part}");
    }
    assert!(page.matches("&lt;script&gt;alert(1)").count() > 8);
    assert!(page.contains(
        "pictures/&lt;b&gt;/0001.png of the run's folder is not shown: it is no picture"
    ));
    let index = index(&[
        IndexEntry::of(HOSTILE, &subject).unwrap(),
        IndexEntry::without_report(HOSTILE, HOSTILE.to_string()),
    ]);
    assert!(
        !index.contains("<script") && !index.contains("<img"),
        "{index}"
    );
}

#[test]
fn the_policy_of_a_page_lets_its_own_scripts_run_and_no_other() {
    let page = page(&subject(vec![row("plain", 0, &[], 0.5)]), None, &[]).unwrap();
    let policy = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    assert!(
        policy.starts_with("default-src 'none'; img-src data:; "),
        "{policy}"
    );
    let scripts: Vec<&str> = page
        .split("<script>")
        .skip(1)
        .map(|rest| rest.split_once("</script>").unwrap().0)
        .collect();
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        let sum = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
        assert!(policy.contains(&sum), "{policy}");
    }
    assert!(!page.contains(" src=\"http") && !page.contains(" href=\"http"));
}

#[test]
fn of_ten_thousand_runs_a_page_shows_a_part_and_says_so() {
    let rows = (0..5000).flat_map(|number: usize| {
        let values = [number % 10, number / 10 % 10, number / 100].map(|value| value.to_string());
        let keys = ["a.one", "a.two", "a.three"];
        let swept: Vec<(&str, &str)> = keys
            .into_iter()
            .zip(values.iter().map(|value| &**value))
            .collect();
        let variant = format!("one={},two={},three={}", values[0], values[1], values[2]);
        let accuracy = number as f64 / 5000.0;
        [0, 1].map(|seed| row(&variant, seed, &swept, accuracy))
    });
    let page = page(&subject(rows.collect()), None, &[]).unwrap();
    let own = page.len() - ECHARTS.len();
    assert!(own < 200_000, "{own} bytes");
    assert_eq!(charts(&page)[0]["lines"].as_array().unwrap().len(), 600);
    for part in [
        "5,000 variants, 10,000 of 10,000 runs done",
        "Shown of 5,000 variants: the reference and the best 99 others by test_accuracy.",
        "Drawn of 5,000 variants: the best 300 and an even sample of the others.",
        "Best: <code>one=9,two=9,three=49</code>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(table(&page, "test_accuracy").len(), 100);
}

#[test]
fn pictures_and_films_are_in_the_page_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut subject = subject(vec![row("plain", 0, &[], 0.5)]);
    subject.folders[0] = RunFolder::new(folder.path());
    let pictures = folder.path().join("pictures");
    fs::create_dir_all(pictures.join("samples")).unwrap();
    let draw = |path: &Path| image::GrayImage::new(2, 2).save(path).unwrap();
    draw(&pictures.join("samples/0005.png"));
    draw(&pictures.join("samples/0010.png"));
    fs::write(pictures.join("morph_film.gif"), b"GIF89a").unwrap();
    let page = page(&subject, None, &[]).unwrap();
    assert_eq!(page.matches("<img src=\"data:image/png;base64,").count(), 1);
    assert!(page.contains("alt=\"Picture samples at epoch 10 of plain, seed 0\""));
    assert!(page.contains("<summary>Film: morph_film</summary>"));
    assert!(page.contains("<img src=\"data:image/gif;base64,"));
}

#[test]
fn settings_show_what_differs() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut subject = subject(vec![row("plain", 0, &[], 0.5), row("longer", 0, &[], 0.5)]);
    for (number, folder) in folders.iter().enumerate() {
        let text = format!(
            "[data]\ntrain = 100\n[train]\nepochs = {}\nseeds = [{number}]\n",
            10 * (number + 1)
        );
        fs::write(folder.path().join("config.toml"), text).unwrap();
        subject.folders[number] = RunFolder::new(folder.path());
    }
    let page = page(&subject, None, &[]).unwrap();
    let differs = page
        .split_once("What differs")
        .unwrap()
        .1
        .split_once("</table>")
        .unwrap()
        .0;
    assert!(differs.contains("<code>train.epochs</code></th><td class=\"value\"><code>10</code></td><td class=\"value\"><code>20</code>"));
    assert!(!differs.contains("data.train") && !differs.contains("train.seeds"));
    assert!(page.contains("All resolved settings of plain"));
}

#[test]
fn the_index_leads_to_reports_and_says_why_one_is_missing() {
    let subject = subject(vec![row("plain", 0, &[], 0.5), row("better", 0, &[], 0.75)]);
    let whole = IndexEntry::of("autoencoders/100% #1", &subject).unwrap();
    let page = index(&[
        whole,
        IndexEntry::without_report("broken", "it is damaged".to_string()),
    ]);
    assert!(
        page.contains(
            "<a href=\"./autoencoders/100%25%20%231/report.html\">autoencoders/100% #1</a>"
        ),
        "{page}"
    );
    assert!(page.contains("better: test_accuracy 0.7500"));
    assert!(
        page.contains("no report: </span>it is damaged")
            || page.contains("no report: </span> it is damaged")
    );
}

/// Leaves in every run's folder the settings that real workers leave there.
fn keep_settings(scripted: &ScriptedExperiments, plan: &Plan) {
    let folder = ResultsFolder::of(&scripted.options.results, &plan.name);
    for run in &plan.runs {
        run.settings.write(&folder.run(run)).unwrap();
    }
}

#[test]
fn behind_a_curve_stand_its_numbers_at_the_places_of_every_variant() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("uneven", "seeds = [0]\n[variants.short]\n[variants.long]\n");
    scripted.run(&plan, |assignment| match &*assignment.row.variant {
        "short" => Script::done(&[346.64737, -0.0]),
        _ => Script::done(&[1.0; 30]),
    });
    let subject = Subject::of_plan(&plan, &scripted.options.results).unwrap();
    let page = page(&subject, None, &[]).unwrap();
    let of_loss = page.split_once("Numbers of train_loss").unwrap().1;
    let rows = table(of_loss, "Mean over the seeds");
    assert_eq!(rows[0], ["1", "346.6", "1.000"]);
    assert_eq!(rows[1], ["2", "0.0000", "1.000"]);
    assert_eq!(rows[2], ["3", "-", "1.000"]);
    assert_eq!(rows.last().unwrap(), &["30", "-", "1.000"]);
    // The twelve of the long one, and the second of the short one.
    assert_eq!(rows.len(), 13);
    let charts = charts(&page);
    let drawn = charts.iter().map(|chart| &chart["lines"][0]["mean"][0]);
    assert!(drawn.into_iter().any(|mean| *mean == 346.647));
}

#[test]
fn curves_of_trainings_that_count_steps_in_stages_go_by_steps() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan(
        "staged",
        "seeds = [0]\nstages = [{ epochs = 1 }, { steps = 4 }]\n",
    );
    scripted.run(&plan, |_| Script::done(&[0.5, 0.25]));
    keep_settings(&scripted, &plan);
    let subject = Subject::of_plan(&plan, &scripted.options.results).unwrap();
    let page = page(&subject, None, &[]).unwrap();
    assert_eq!(charts(&page)[0]["x_name"], "step");
}

#[test]
fn of_equal_variants_the_first_is_the_best_wherever_one_is_named() {
    let accuracies = [("0.01", 0.25), ("0.02", 0.5), ("0.03", 0.5)];
    let rows = accuracies.map(|(rate, accuracy)| {
        row(
            &format!("rate={rate}"),
            0,
            &[("train.rate", rate)],
            accuracy,
        )
    });
    let subject = subject(rows.to_vec());
    let page = page(&subject, None, &[]).unwrap();
    assert!(page.contains("Best: <code>rate=0.02</code>"));
    let entry = IndexEntry::of("name", &subject).unwrap();
    assert_eq!(entry.best, "rate=0.02: test_accuracy 0.5000");
}

#[test]
fn losses_of_different_kinds_are_neither_ranked_nor_tested() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan(
        "smoothed",
        "seeds = [0, 1]\n[grid]\n'train.loss.cross_entropy.label_smoothing' = [0.0, 0.1]\n\
         [[expect]]\nclaim = 'low'\nvariant = 'label_smoothing=0.0'\nmetric = 'test_loss'\nat_most = 0.5\n",
    );
    scripted.run(&plan, |assignment| {
        let better = if assignment.row.variant.ends_with("0.1") {
            0.125
        } else {
            0.0
        };
        Script::done(&[0.5 - better - 0.0625 * assignment.row.seed as f64])
    });
    let warning =
        "losses of these variants cannot be compared with each other: `train.loss` differs";
    let of_disk = || Subject::of_plan(&plan, &scripted.options.results).unwrap();
    // What no run tells is not held against them.
    assert!(
        !page(&of_disk(), None, &[])
            .unwrap()
            .contains("cannot be compared")
    );
    keep_settings(&scripted, &plan);
    let mut subject = of_disk();
    let whole = page(&subject, None, &[]).unwrap();
    assert!(whole.contains(&format!("Warning: {warning}.")));
    assert_eq!(
        table(&whole, "test_loss")[1].last().unwrap(),
        "another loss"
    );
    assert_eq!(
        table(&whole, "test_accuracy")[1].last().unwrap(),
        "the same difference in every seed"
    );
    assert!(whole.contains("Best: <code>label_smoothing=0.1</code> with test_accuracy"));
    let view = View::new(&subject, None).unwrap();
    let differences = crate::report::differences(&view).unwrap();
    assert!(differences.starts_with("test_accuracy, difference from"));
    assert!(
        crate::report::comparison(&view)
            .unwrap()
            .contains(&format!("\nwarning: {warning}"))
    );
    // Where there are losses alone none is best.
    for row in &mut subject.rows {
        row.measured.as_mut().unwrap().test.accuracy = None;
        row.last = None;
    }
    let page = page(&subject, None, &[]).unwrap();
    assert!(page.contains("test_loss over label_smoothing") && !page.contains("Best:"));
    assert_eq!(IndexEntry::of("name", &subject).unwrap().best, "");
    let view = View::new(&subject, None).unwrap();
    assert!(
        crate::report::differences(&view)
            .unwrap()
            .contains("another loss")
    );
}

#[test]
fn a_difference_over_shared_seeds_says_so() {
    let rows = [
        ("plain", 0, 0.5),
        ("plain", 1, 0.625),
        ("plain", 2, 0.875),
        ("other", 1, 0.75),
        ("other", 2, 0.9375),
        ("equal", 0, 0.5625),
        ("equal", 1, 0.6875),
        ("equal", 2, 0.9375),
    ];
    let rows = rows.map(|(variant, seed, accuracy)| row(variant, seed, &[], accuracy));
    let subject = subject(rows.to_vec());
    let page = page(&subject, None, &[]).unwrap();
    let rows = table(&page, "test_accuracy");
    assert_eq!(
        [&rows[1][4], &rows[1][7]],
        ["+0.09375", "paired, 2 shared seeds"]
    );
    assert_eq!(
        rows[2][4..],
        [
            "+0.06250",
            "-",
            "-",
            "paired, 3 seeds",
            "the same difference in every seed"
        ]
    );
    assert!(page.contains(OF_SHARED_SEEDS));
    let differences = crate::report::differences(&View::new(&subject, None).unwrap()).unwrap();
    assert!(
        differences.contains("paired, 2 shared seeds") && differences.ends_with(OF_SHARED_SEEDS)
    );
}

#[test]
fn what_a_claim_is_held_against_has_as_many_digits_as_in_other_tables() {
    let mut subject = subject(vec![row("plain", 0, &[], 0.5)]);
    subject.claims = vec![ClaimResult {
        claim: "near the article's 0.00215".to_string(),
        variant: "plain".to_string(),
        metric: "test_loss".to_string(),
        condition: String::new(),
        article: None,
        measured: spread(&[0.0021534]),
        compared: None,
        bounds: Vec::new(),
        verdict: Verdict::Holds,
        why: None,
    }];
    let page = page(&subject, None, &[]).unwrap();
    assert!(page.contains("<td class=\"number\">0.002153</td>"));
}
