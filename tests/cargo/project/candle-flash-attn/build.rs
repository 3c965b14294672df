//! Decides as the producer's build script does: the archive is compiled when it is missing or not newer than every source.
//! "nvcc" is $TEST_CC, and $TEST_LOG gets a line for every file that is compiled.
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, thread, time::Duration};

const SOURCES: [&str; 1] = ["kernels/flash_api.cu"];

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().expect(program).success(), "{program} {arguments:?}");
}

fn compile(source: &str, object: &Path) {
    thread::sleep(Duration::from_millis(200)); // nvcc takes a minute
    let origin = format!("-DORIGIN={}", env::var("TEST_ORIGIN").expect("TEST_ORIGIN"));
    run(&env::var("TEST_CC").expect("TEST_CC"), &["-x", "c", "-fPIC", &origin, "-c", source, "-o", object.to_str().unwrap()]);
    let mut log = OpenOptions::new().append(true).create(true).open(env::var("TEST_LOG").expect("TEST_LOG")).unwrap();
    writeln!(log, "{source}").unwrap();
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    let folder = match env::var("CANDLE_FLASH_ATTN_BUILD_DIR") {
        Ok(folder) => PathBuf::from(folder).canonicalize().expect("CANDLE_FLASH_ATTN_BUILD_DIR is no folder"),
        Err(_) => PathBuf::from(env::var("OUT_DIR").unwrap()),
    };
    let archive = folder.join("libflashattention.a");
    let built = archive.metadata().and_then(|m| m.modified()).ok();
    let stale = SOURCES.iter().any(|source| {
        let changed = fs::metadata(source).unwrap().modified().unwrap();
        built.map_or(true, |built| changed.duration_since(built).is_ok())
    });
    if stale {
        let object = folder.join("flash_api-5b8e11c4d2f6a390.o");
        for source in SOURCES {
            compile(source, &object);
        }
        let _ = fs::remove_file(&archive);
        run("ar", &["rcs", archive.to_str().unwrap(), object.to_str().unwrap()]);
    }
    println!("cargo:rustc-link-search={}", folder.display());
    println!("cargo:rustc-link-lib=flashattention");
}
