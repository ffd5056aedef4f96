//! Single steps of the look at a photo, by criterion.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use walkaround_benches::phone_photo;
use walkaround_domain::{Size, UnitRect};
use walkaround_samples::Kind;
use walkaround_vision::decode::{Aim, Limits, decode};
use walkaround_vision::overlay::{Marks, OverlayStyle, encode_jpeg, render};
use walkaround_vision::quality::measure;
use walkaround_vision::tensor::{
    ChannelOrder, Element, Filter, InputSpec, Layout, Resize, TensorData, prepare,
};

fn stages(c: &mut Criterion) {
    let jpeg = phone_photo(3, Kind::Scratch).expect("a drawn photo can be encoded");
    let limits = Limits::default();
    c.bench_function("decode 12 MP for a network", |b| {
        b.iter(|| decode(black_box(&jpeg), &limits, 512));
    });
    c.bench_function("decode 12 MP for an overlay", |b| {
        b.iter(|| decode(black_box(&jpeg), &limits, Aim::View(1600)));
    });
    let photo = decode(&jpeg, &limits, 1600).expect("the drawn photo can be decoded");
    c.bench_function("quality", |b| b.iter(|| measure(black_box(&photo.pixels))));
    let spec = InputSpec {
        size: Size::new(256, 256),
        resize: Resize::Stretch,
        filter: Filter::Area,
        channels: ChannelOrder::Rgb,
        layout: Layout::Nchw,
        element: Element::F32,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    let mut tensor = TensorData::new(spec.element, spec.slot_len());
    c.bench_function("tensor 256", |b| {
        b.iter(|| {
            prepare(
                black_box(&photo.pixels),
                UnitRect::WHOLE,
                &spec,
                tensor.slot(0, spec.slot_len()),
            )
        });
    });
    let style = OverlayStyle::default();
    let marks = Marks {
        original: photo.original,
        findings: &[],
        classes: &[],
        headline: "clean",
    };
    c.bench_function("overlay", |b| {
        b.iter(|| render(black_box(&photo.pixels), marks, &style));
    });
    let picture = render(&photo.pixels, marks, &style);
    c.bench_function("overlay to JPEG", |b| {
        b.iter(|| encode_jpeg(black_box(&picture), style.jpeg_quality));
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = stages }
criterion_main!(benches);
