// What a step of the sampler is told. It follows the text of every shader of the sampler; each reads what concerns it.

struct Shape {
    // Images of this batch.
    images: u32,
    // Pixels along an edge: of the image that is read (spread), of the one that is written (finish).
    side: u32,
    // Numbers of a pixel or vector that is read, and of one that is written; multiples of four.
    inner: u32,
    outer: u32,
    // Matrices of a product, and rows of each for one image.
    matrices: u32,
    rows: u32,
    // Where gamma begins for one image (beta follows), and how many numbers an image has; 0: the norm is plain.
    affine: u32,
    affines: u32,
    // Threads that share a tile: a power of two, at most 64.
    lanes: u32,
    // 1: the pixels are shown as an image; 1: the image below is added to it, doubled.
    shows: u32,
    skips: u32,
    // Channels without padding.
    channels: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
