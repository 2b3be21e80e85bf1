// Draws one radiograph through a window: value -> brightness -> colour.
//
// Colours come out of a table of 256 entries, so that the very same bytes can be computed on the CPU.

struct View {
    // Where the film's top left corner lies on the target, in physical pixels.
    origin: vec2<f32>,
    // Film pixels per physical pixel.
    step: vec2<f32>,
    // The value that becomes black, and one over the span to white.
    low: f32,
    scale: f32,
    // 1: black and white change places.
    invert: u32,
    // 1: linear interpolation between film pixels; 0: nearest.
    linear: u32,
    // How much of the film covers what lies below.
    opacity: f32,
    // 1: that falls to nothing with the brightness, as its square root.
    fade: u32,
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var film: texture_2d<f32>;
@group(0) @binding(2) var colours: texture_2d<f32>;

// One triangle that covers the viewport.
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4<f32>(corner * 2.0 - 1.0, 0.0, 1.0);
}

fn at(place: vec2<i32>) -> f32 {
    let last = vec2<i32>(textureDimensions(film)) - 1;
    return textureLoad(film, clamp(place, vec2<i32>(0), last), 0).r;
}

// 32-bit float textures cannot be filtered by every device; these four loads can be done by all.
fn value(place: vec2<f32>) -> f32 {
    if view.linear == 0u {
        return at(vec2<i32>(floor(place)));
    }
    let centred = place - 0.5;
    let corner = vec2<i32>(floor(centred));
    let part = centred - floor(centred);
    let above = mix(at(corner), at(corner + vec2<i32>(1, 0)), part.x);
    let below = mix(at(corner + vec2<i32>(0, 1)), at(corner + vec2<i32>(1, 1)), part.x);
    return mix(above, below, part.y);
}

fn colour(position: vec4<f32>) -> vec4<f32> {
    let place = (position.xy - view.origin) * view.step;
    var brightness = clamp((value(place) - view.low) * view.scale, 0.0, 1.0);
    if view.invert == 1u {
        brightness = 1.0 - brightness;
    }
    let entry = i32(floor(brightness * 255.0 + 0.5));
    let alpha = select(view.opacity, view.opacity * sqrt(brightness), view.fade == 1u);
    return vec4<f32>(textureLoad(colours, vec2<i32>(entry, 0), 0).rgb, alpha);
}

@fragment
fn fragment(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    return colour(position);
}

// For targets that encode to sRGB on writing: the table already holds encoded bytes.
@fragment
fn fragment_linear(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let encoded = colour(position);
    let c = encoded.rgb;
    let low = c / 12.92;
    let high = pow((c + 0.055) / 1.055, vec3<f32>(2.4));
    return vec4<f32>(select(high, low, c <= vec3<f32>(0.04045)), encoded.a);
}
