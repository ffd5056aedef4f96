//! Small graphs whose common beginning is known.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use super::messages::{Graph, Model, Node, Tensor, UINT8, ValueInfo};
use super::{Feature, SharedEncoder, dimension};
use prost::Message;

fn node(op: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let node = Node {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: op.to_owned(),
        attribute: Vec::new(),
    };
    node.encode_to_vec()
}

fn weight(name: &str, value: u8) -> Vec<u8> {
    let mut tensor = Tensor {
        data_type: UINT8,
        name: name.to_owned(),
        external_data: Vec::new(),
    }
    .encode_to_vec();
    // Field 9, raw data: one byte.
    tensor.extend([9 << 3 | 2, 1, value]);
    tensor
}

fn value(name: &str) -> Vec<u8> {
    let info = ValueInfo {
        name: name.to_owned(),
        ty: None,
    };
    info.encode_to_vec()
}

/// `image` -> Conv -> QuantizeLinear -> DequantizeLinear -> `last` -> `output`, with operators of a head between.
fn model(convolution: u8, middle: &str, head: &str, output: &str) -> Vec<u8> {
    let graph = Graph {
        node: vec![
            node("Conv", &["image", "w"], "c"),
            node(middle, &["c", "scale", "zero"], "q"),
            node("DequantizeLinear", &["q", "scale", "zero"], "d"),
            node(head, &["d", head], output),
        ],
        name: "graph".to_owned(),
        initializer: vec![
            weight("w", convolution),
            weight("scale", 3),
            weight("zero", 4),
            weight(head, 5),
        ],
        input: vec![value("image")],
        output: vec![value(output)],
        sparse_initializer: Vec::new(),
    };
    let model = Model {
        ir_version: 8,
        graph: Some(graph),
        opset_import: vec![vec![16, 17]],
        functions: Vec::new(),
    };
    model.encode_to_vec()
}

fn decoded(bytes: &[u8]) -> Graph {
    Model::decode(bytes).unwrap().graph.unwrap()
}

#[test]
fn the_segmenter_goes_on_where_the_gate_quantises() {
    let gate = model(1, "QuantizeLinear", "Gate", "gate");
    let segmenter = model(1, "QuantizeLinear", "Head", "masks");
    let shared = SharedEncoder::find(&gate, &segmenter, "image").unwrap();
    let feature = Feature {
        name: "q".to_owned(),
        element: UINT8,
    };
    assert_eq!(shared.features, [feature]);
    let first = decoded(&shared.gate);
    assert_eq!(first.output, [value("gate"), value("q")]);
    assert_eq!((first.node.len(), first.initializer.len()), (4, 4));
    let rest = decoded(&shared.segmenter(&[vec![-1, 8]]));
    let operators: Vec<String> = rest
        .node
        .iter()
        .map(|bytes| Node::decode(&bytes[..]).unwrap().op_type)
        .collect();
    assert_eq!(operators, ["DequantizeLinear", "Head"]);
    assert_eq!(
        rest.initializer.len(),
        3,
        "the weights of the encoder are not kept"
    );
    let input = ValueInfo::decode(&rest.input[0][..]).unwrap();
    let tensor = input.ty.unwrap().tensor_type.unwrap();
    assert_eq!((input.name.as_str(), tensor.elem_type), ("q", UINT8));
    assert_eq!(tensor.shape.unwrap().dim, [dimension(-1), dimension(8)]);
    assert_eq!(rest.output, [value("masks")]);
}

#[test]
fn nothing_is_shared_where_graphs_differ_or_part_between_floats() {
    let segmenter = model(1, "QuantizeLinear", "Head", "masks");
    let find = |gate: &[u8], segmenter: &[u8]| SharedEncoder::find(gate, segmenter, "image").is_some();
    assert!(find(&model(1, "QuantizeLinear", "Gate", "gate"), &segmenter));
    assert!(
        !find(&model(2, "QuantizeLinear", "Gate", "gate"), &segmenter),
        "other weights"
    );
    let floats = model(1, "Scale", "Head", "masks");
    assert!(!find(&model(1, "Scale", "Gate", "gate"), &floats), "floats");
    assert!(!find(b"no graph", &segmenter));
    let mut other = Model::decode(&model(1, "QuantizeLinear", "Gate", "gate")[..]).unwrap();
    other.opset_import = vec![vec![16, 18]];
    assert!(!find(&other.encode_to_vec(), &segmenter), "other operators");
}
