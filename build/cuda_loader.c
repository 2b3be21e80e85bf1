/* Finds the CUDA libraries when the program first calls into them, so that one binary starts with or without them.
 *
 * The linker takes these trampolines for the libraries' own functions (build/cuda_shim.rs makes one for each name in
 * cuda_symbols.txt). The first call of each goes through cuda_resolve, which looks the function up and writes its address
 * into the table that the trampoline jumps by; where the library is missing, a function that returns that library's
 * "not initialised" error takes its place. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In this order: enum, file names, error codes. */
enum library { CUDA, CUBLAS, CUBLASLT, CURAND, NVRTC, LIBRARIES };

static const char *const files[LIBRARIES][4] = {
    [CUDA] = {"libcuda.so.1", "libcuda.so"},
    [CUBLAS] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so"},
    [CUBLASLT] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"},
    [CURAND] = {"libcurand.so.10", "libcurand.so"},
    [NVRTC] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"},
};

static int no_device(void) { return 100; }          /* CUDA_ERROR_NO_DEVICE */
static int no_cublas(void) { return 1; }             /* CUBLAS_STATUS_NOT_INITIALIZED */
static int no_curand(void) { return 101; }           /* CURAND_STATUS_NOT_INITIALIZED */
static int no_nvrtc(void) { return 11; }             /* NVRTC_ERROR_INTERNAL_ERROR */

static int (*const missing[LIBRARIES])(void) = {
    [CUDA] = no_device, [CUBLAS] = no_cublas, [CUBLASLT] = no_cublas, [CURAND] = no_curand, [NVRTC] = no_nvrtc,
};

/* SYMBOL(library, name) for each trampoline, in the trampolines' order. */
static const struct { enum library library; const char *name; } symbols[] = {
#define SYMBOL(library, name) {library, #name},
#include "cuda_symbols.h"
#undef SYMBOL
};

extern void *cuda_table[];

/* Folders that the system's loader does not search by itself; %s is an environment variable's value. */
static const struct { const char *variable, *pattern; } places[] = {
    {"NEGATOSCOPE_CUDA", "%s"},
    {"CUDA_HOME", "%s/lib64"},
    {"CUDA_PATH", "%s/lib64"},
    {"VIRTUAL_ENV", "%s/lib/python3*/site-packages/nvidia/*/lib"},
    {"HOME", "%s/.local/lib/python3*/site-packages/nvidia/*/lib"},
    {NULL, "/usr/local/cuda/lib64"},
    {NULL, "/usr/local/lib/python3*/*-packages/nvidia/*/lib"},
    {NULL, "/usr/lib/python3*/*-packages/nvidia/*/lib"},
};

static void *open_in(const char *pattern, const char *file) {
    void *handle = NULL;
    glob_t folders;
    if (glob(pattern, 0, NULL, &folders) == 0) {
        for (size_t i = 0; i < folders.gl_pathc && !handle; i++) {
            char path[4096];
            if (snprintf(path, sizeof path, "%s/%s", folders.gl_pathv[i], file) < (int)sizeof path)
                handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        }
        globfree(&folders);
    }
    return handle;
}

static void *open_library(enum library library) {
    for (int f = 0; files[library][f]; f++) {
        void *handle = dlopen(files[library][f], RTLD_NOW | RTLD_GLOBAL);
        if (handle)
            return handle;
    }
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        const char *value = places[p].variable ? getenv(places[p].variable) : "";
        char pattern[4096];
        if (!value || (places[p].variable && !*value)
            || snprintf(pattern, sizeof pattern, places[p].pattern, value) >= (int)sizeof pattern)
            continue;
        for (int f = 0; files[library][f]; f++) {
            void *handle = open_in(pattern, files[library][f]);
            if (handle)
                return handle;
        }
    }
    return NULL;
}

/* The address to jump to for trampoline `i`. Two threads may come here at once: both find the same. */
void *cuda_resolve(unsigned long i) {
    static void *handles[LIBRARIES];
    static int tried[LIBRARIES];
    enum library library = symbols[i].library;
    if (!__atomic_load_n(&tried[library], __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&handles[library], open_library(library), __ATOMIC_RELAXED);
        __atomic_store_n(&tried[library], 1, __ATOMIC_RELEASE);
    }
    void *handle = __atomic_load_n(&handles[library], __ATOMIC_RELAXED);
    void *address = handle ? dlsym(handle, symbols[i].name) : NULL;
    if (!address)
        address = (void *)missing[library];
    __atomic_store_n(&cuda_table[i], address, __ATOMIC_RELAXED);
    return address;
}
