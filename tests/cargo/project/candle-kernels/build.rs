//! Decides as the producer's build script does: a PTX file is compiled when it is missing or older than its source, ptx.rs is
//! written when one was, and the archive is compiled when it is missing or not newer than every source.
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use std::{env, fs, thread};

const MODULES: [&str; 2] = ["unary", "affine"];

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|m| m.modified()).ok()
}

fn compiled(source: &str) {
    thread::sleep(Duration::from_millis(200)); // nvcc takes a minute
    let mut log = OpenOptions::new().append(true).create(true).open(env::var("TEST_LOG").expect("TEST_LOG")).unwrap();
    writeln!(log, "{source}").unwrap();
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().expect(program).success(), "{program} {arguments:?}");
}

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/cuda_utils.cuh");
    fs::copy("src/cuda_utils.cuh", out.join("cuda_utils.cuh")).unwrap();
    let mut write = false;
    for module in MODULES {
        let source = format!("src/{module}.cu");
        println!("cargo:rerun-if-changed={source}");
        let target = out.join(format!("{module}.ptx"));
        if modified(&target).map_or(false, |built| built.duration_since(modified(Path::new(&source)).unwrap()).is_ok()) {
            continue;
        }
        let origin = env::var("TEST_ORIGIN").expect("TEST_ORIGIN");
        fs::write(&target, format!("// origin {origin}\n{}", fs::read_to_string(&source).unwrap())).unwrap();
        compiled(&source);
        write = true;
    }
    let list = out.join("ptx.rs");
    if write {
        let lines: Vec<_> = MODULES
            .iter()
            .map(|m| format!("pub const {}: &str = include_str!(concat!(env!(\"OUT_DIR\"), \"/{m}.ptx\"));", m.to_uppercase()))
            .collect();
        fs::write(&list, lines.join("\n")).unwrap();
    }
    // as the producer's, which takes lines out of it: fails where it is missing
    let lines = fs::read_to_string(&list).unwrap();
    fs::write(&list, lines.lines().filter(|line| !line.contains("MOE")).collect::<Vec<_>>().join("\n")).unwrap();

    let archive = out.join("libmoe.a");
    println!("cargo:rerun-if-changed=src/moe.cu");
    let source = modified(Path::new("src/moe.cu")).unwrap();
    if modified(&archive).map_or(true, |built| source.duration_since(built).is_ok()) {
        let object = out.join("moe-7c2d90fe13ab4568.o");
        let origin = format!("-DORIGIN={}", env::var("TEST_ORIGIN").expect("TEST_ORIGIN"));
        run(&env::var("TEST_CC").expect("TEST_CC"), &["-x", "c", "-fPIC", &origin, "-c", "src/moe.cu", "-o", object.to_str().unwrap()]);
        let _ = fs::remove_file(&archive);
        run("ar", &["rcs", archive.to_str().unwrap(), object.to_str().unwrap()]);
        compiled("src/moe.cu");
    }
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-lib=moe");
}
