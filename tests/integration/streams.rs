//! Streams that are closed or full, and names and texts that are not what a terminal expects.
#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::lab::{Ended, Lab};

/// Trains in a moment.
const TINY: &str = r#"
title = "a \u001b[31mred\u001b[0m title"

[data]
dataset = { fake = { shape = [1, 4, 4], classes = 2, train = 20, test = 10 } }

[model.classifier]
layers = ["flatten", { dense = { units = "classes" } }]

[train]
epochs = 1

[[expect]]
claim    = "one | two\n\nthree"
variant  = "default"
at_least = 0.0
"#;

fn full() -> Stdio {
    let full = File::options().write(true).open("/dev/full");
    Stdio::from(full.expect("there is a device that is always full"))
}

/// A pipe whose reader has gone away.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    Stdio::from(writer)
}

/// The command line of burnlab as a shell's words, after other commands and with a redirection.
fn shell(lab: &Lab, before: &str, arguments: &[&str], redirection: &str) -> Command {
    let own = lab.command(arguments);
    let mut command = Command::new("sh");
    let script = format!("{before} exec \"$0\" \"$@\" {redirection}");
    command.arg("-c").arg(script).arg(own.get_program());
    command.args(own.get_args());
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

#[test]
fn what_was_asked_for_and_cannot_be_written_is_an_error() {
    let lab = Lab::new();
    let file = lab.file("tiny.toml", TINY);
    let file = file.to_str().unwrap();
    let asked: &[&[&str]] = &[
        &["schema"],
        &["list"],
        &["explain", file],
        &["summary", file],
        &["check", file],
        &["run", file, "--dry-run"],
        &["run", file, "--json"],
        &["run", file],
        &["compare", file],
        &["data", "list"],
        &["completions", "bash"],
        &["doctor"],
        &["--help"],
        &["--version"],
    ];
    for arguments in asked {
        let output = lab.command(arguments).stdout(full()).output().unwrap();
        let ended = Ended::from(output);
        assert_eq!(ended.code, 3, "{arguments:?}: {}", ended.err);
        let message = "error: cannot write to standard output: no space left on device\n";
        assert!(ended.err.ends_with(message), "{arguments:?}: {}", ended.err);
    }
    // The runs were done all the same.
    let run = lab.burnlab(&["run", file]);
    assert!(run.err.contains("1 done before"), "{}", run.err);
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let lab = Lab::new();
    let file = lab.file("tiny.toml", TINY);
    let file = file.to_str().unwrap();
    for arguments in [
        &["schema"] as &[&str],
        &["run", file, "--json"],
        &["check", file],
        &["completions", "zsh"],
        &["--help"],
    ] {
        let output = lab.command(arguments).stdout(closed()).output().unwrap();
        let ended = Ended::from(output);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
}

#[test]
fn errors_that_nobody_can_read_keep_their_exit_codes() {
    let lab = Lab::new();
    let file = lab.file("tiny.toml", TINY);
    let file = file.to_str().unwrap();
    let bad = "tests/fixtures/bad/empty.toml";
    let missing: &[&str] = &["data", "verify", "mnist-of-nobody"];
    for (arguments, code) in [
        (&["check", bad] as &[&str], 2),
        (&["nonsense"], 2),
        (missing, 2),
        (&["run", file, "--fresh"], 0),
    ] {
        for stream in [full, closed] {
            let status = lab.command(arguments).stderr(stream()).status().unwrap();
            assert_eq!(status.code(), Some(code), "{arguments:?}");
        }
        let closed = shell(&lab, "", arguments, ">&- 2>&- <&-").status().unwrap();
        assert_eq!(closed.code(), Some(code), "{arguments:?} without streams");
    }
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_kills_nothing() {
    let lab = Lab::new();
    let file = lab.file("tiny.toml", TINY);
    let arguments = ["run", file.to_str().unwrap()];
    // 512 bytes, which no run's rows fit into.
    let mut command = shell(&lab, "ulimit -f 1;", &arguments, "");
    let ended = Ended::from(command.output().unwrap());
    assert!(
        [3, 4].contains(&ended.code),
        "{}: {}",
        ended.code,
        ended.err
    );
    assert!(ended.err.contains("file too large"), "{}", ended.err);
}

#[test]
fn texts_of_files_do_not_steer_the_terminal_and_keep_tables_whole() {
    let lab = Lab::new();
    let file = lab.file("tiny.toml", TINY);
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let title = "a \u{241b}[31mred\u{241b}[0m title";
    assert!(ended.out.contains(title), "{}", ended.out);
    assert!(!(ended.out + &ended.err).contains('\u{1b}'));
    let page = fs::read_to_string(lab.results("tiny").join("table.md")).unwrap();
    assert!(page.starts_with(&format!("# {title}\n")), "{page}");
    let claims: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "## Claims")
        .collect();
    assert_eq!(claims.len(), 5, "{page}");
    assert!(
        claims[4].starts_with("| one \\| two three | default |"),
        "{page}"
    );
}

#[test]
fn other_peoples_files_are_not_shown() {
    let lab = Lab::new();
    let secret = lab.file("secret", "password = one two three\n");
    let child = lab.file("child.toml", "extends = 'secret'\n");
    for command in ["run", "check", "explain", "summary", "compare"] {
        let ended = lab.burnlab(&[command, secret.to_str().unwrap()]);
        assert_eq!(ended.code, 2);
        assert_eq!(
            ended.err,
            format!(
                "error: `{}` is no experiment file\n  hint: experiment files are called `NAME.toml`\n",
                secret.display()
            )
        );
        let ended = lab.burnlab(&[command, child.to_str().unwrap()]);
        assert_eq!(ended.code, 2);
        assert!(!ended.err.contains("password"), "{}", ended.err);
    }
}

#[test]
fn what_is_called_like_an_experiment_and_is_no_file_is_skipped_with_a_note() {
    let lab = Lab::new();
    let folder = lab.path().join("lab");
    fs::create_dir_all(folder.join("folder.toml")).unwrap();
    fs::write(folder.join("good.toml"), TINY).unwrap();
    let pipe = folder.join("pipe.toml");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("nowhere", folder.join("link.toml")).unwrap();
    let ended = lab.burnlab(&["check", folder.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("good.toml: 1 variant, 1 run, 1 claim"));
    let folder = folder.display();
    assert_eq!(
        ended.err,
        format!(
            "note: `{folder}/link.toml` is skipped: it is no file\n\
             note: `{folder}/pipe.toml` is skipped: it is no file\n"
        )
    );
}

/// A name that is Latin-1 and no UTF-8.
fn latin(lab: &Lab, ending: &str) -> PathBuf {
    let name = [b"caf\xe9" as &[u8], ending.as_bytes()].concat();
    lab.path().join(OsStr::from_bytes(&name))
}

#[test]
fn names_that_are_not_utf_8_work_or_are_reported() {
    let lab = Lab::new();
    let file = latin(&lab, ".toml");
    fs::write(&file, TINY).unwrap();
    let image = latin(&lab, ".png");
    let picture = image::GrayImage::from_pixel(4, 4, image::Luma([9]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    fs::write(&image, bytes.into_inner()).unwrap();
    let run = lab.command(&["run"]).arg(&file).output().unwrap();
    assert_eq!(Ended::from(run).code, 0);
    let mut predict = lab.command(&["predict"]);
    let predicted: Ended = predict.arg(&file).arg(&image).output().unwrap().into();
    assert_eq!(predicted.code, 0, "{}", predicted.err);
    assert!(
        predicted.out.contains("caf\u{fffd}.png"),
        "{}",
        predicted.out
    );

    let mut run = lab.command(&["run"]);
    let results = latin(&lab, "");
    let ended: Ended = run
        .arg(&file)
        .arg("--results")
        .arg(&results)
        .output()
        .unwrap()
        .into();
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        format!(
            "error: the path of the results folder is not UTF-8\n  {}\n  \
             hint: write elsewhere with `--results DIR`\n",
            results.display()
        )
    );

    // A folder of data that is named from a folder which is not UTF-8.
    let folder = latin(&lab, "");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("x.toml");
    let fake = TINY.find("{ fake").unwrap()..TINY.find("\n\n[model").unwrap();
    let text = TINY.replace(&TINY[fake], "{ folder = 'data' }");
    fs::write(&file, text).unwrap();
    let ended: Ended = lab.command(&["check"]).arg(&file).output().unwrap().into();
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.starts_with(&format!(
            "error: the path `{}` is not UTF-8\n",
            folder.join("data").display()
        )),
        "{}",
        ended.err
    );
}
