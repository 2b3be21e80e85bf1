//! Static stand-ins for the CUDA libraries, so that a binary built with `--features cuda` needs none of them to start.
//!
//! The framework links `-lcuda -lcublas -lcublasLt -lcurand -lnvrtc -lcudart`. The first five become one archive of
//! trampolines (see `cuda_loader.c`); the last is the toolkit's own static runtime. Linux on x86-64 only: elsewhere the
//! real libraries are linked.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The functions that the framework calls; a missing one shows as an undefined symbol at link time and is added here.
const SYMBOLS: &str = include_str!("cuda_symbols.txt");

/// Stand-ins by the name the linker asks for; the first holds the trampolines.
const STAND_INS: [&str; 5] = ["cuda", "cublas", "cublasLt", "curand", "nvrtc"];

/// Writes the stand-ins and has the linker find them before any real library.
pub fn build() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed=CUDA_HOME");
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") != "linux" || target("ARCH") != "x86_64" {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let names: Vec<&str> = SYMBOLS.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let header: String = names.iter().map(|name| format!("SYMBOL({}, {name})\n", library(name))).collect();
    fs::write(out.join("cuda_symbols.h"), header).expect("OUT_DIR can be written");
    fs::write(out.join("cuda_trampolines.S"), trampolines(&names)).expect("OUT_DIR can be written");
    cc::Build::new()
        .file("build/cuda_loader.c")
        .file(out.join("cuda_trampolines.S"))
        .include(&out)
        .cargo_metadata(false)
        .compile("cuda");
    for name in &STAND_INS[1..] {
        // An archive with nothing in it satisfies the linker; the functions are in the first one.
        fs::write(out.join(format!("lib{name}.a")), "!<arch>\n").expect("OUT_DIR can be written");
    }
    link_runtime(&out);
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static:+whole-archive=cuda");
    println!("cargo::rustc-link-lib=dylib=dl");
}

/// Offers the toolkit's static runtime under the name that the framework asks for.
fn link_runtime(out: &Path) {
    let home =
        env::var_os("CUDA_HOME").or_else(|| env::var_os("CUDA_PATH")).unwrap_or_else(|| "/usr/local/cuda".into());
    let folders = ["lib64", "lib", "targets/x86_64-linux/lib"].map(|folder| Path::new(&home).join(folder));
    let Some(found) = folders.iter().map(|f| f.join("libcudart_static.a")).find(|path| path.is_file()) else {
        println!(
            "cargo::warning=libcudart_static.a is not under {}; set CUDA_HOME to the toolkit",
            Path::new(&home).display()
        );
        return;
    };
    fs::copy(found, out.join("libcudart.a")).expect("OUT_DIR can be written");
}

/// Which library a function belongs to, as `cuda_loader.c` calls it.
fn library(name: &str) -> &'static str {
    let prefixes = [("cublasLt", "CUBLASLT"), ("cublas", "CUBLAS"), ("curand", "CURAND"), ("nvrtc", "NVRTC")];
    prefixes.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or("CUDA", |(_, library)| library)
}

/// For each function a jump through the table, whose entry leads to the resolver until the function is found.
///
/// At a stub's entry the stack is 8 off a multiple of 16; the index, six registers and 128 bytes more put it back on one,
/// as the call needs. Integer and vector arguments are kept, so the function is entered as if it had been called directly.
fn trampolines(names: &[&str]) -> String {
    let mut code = String::from(".text\n");
    for (i, name) in names.iter().enumerate() {
        code += &format!(".globl {name}\n.type {name}, @function\n{name}:\n    jmp *cuda_table+{}(%rip)\n", 8 * i);
        code += &format!("stub_{i}:\n    pushq ${i}\n    jmp resolve\n");
    }
    code += "resolve:\n";
    let integers = ["%rdi", "%rsi", "%rdx", "%rcx", "%r8", "%r9"];
    integers.iter().for_each(|register| code += &format!("    pushq {register}\n"));
    code += "    subq $128, %rsp\n";
    (0..8).for_each(|i| code += &format!("    movups %xmm{i}, {}(%rsp)\n", 16 * i));
    code += "    movq 176(%rsp), %rdi\n    call cuda_resolve\n";
    (0..8).for_each(|i| code += &format!("    movups {}(%rsp), %xmm{i}\n", 16 * i));
    code += "    addq $128, %rsp\n";
    integers.iter().rev().for_each(|register| code += &format!("    popq {register}\n"));
    code += "    addq $8, %rsp\n    jmp *%rax\n";
    code += ".data\n.globl cuda_table\n.align 8\ncuda_table:\n";
    (0..names.len()).for_each(|i| code += &format!("    .quad stub_{i}\n"));
    code + ".section .note.GNU-stack,\"\",@progbits\n"
}
