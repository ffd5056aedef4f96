//! What an ONNX file says that ONNX Runtime does not: the files its weights are in, and the operator behind each output.
//!
//! Only the fields needed here; all others, the weights among them, are skipped. Field numbers:
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

use prost::Message;
use std::collections::{BTreeSet, HashMap};

/// Most operators that are followed from an output back to the one that decides what its values are.
const STEPS_MAX: usize = 16;

/// Operators that move values about and leave them as they are.
const MOVING: &[&str] = &[
    "Cast",
    "Identity",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(message, optional, tag = "5")]
    t: Option<Tensor>,
    #[prost(message, optional, tag = "6")]
    g: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// What the values of an output are, as far as the last operator tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Probabilities: the graph ends in a sigmoid.
    Sigmoid,
    /// Probabilities: the graph ends in a softmax.
    Softmax,
    /// It does not tell.
    Unknown,
}

/// The parts of an ONNX file that a draft needs.
#[derive(Debug)]
pub(super) struct OnnxFile {
    /// Files of weights, as the graph names them.
    pub data: Vec<String>,
    /// Operator and first input of what makes each value.
    makers: HashMap<String, (String, Option<String>)>,
}

impl OnnxFile {
    /// # Errors
    /// When the bytes are no ONNX file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let Ok(Model { graph: Some(graph) }) = Model::decode(bytes) else {
            return Err(not_onnx(bytes));
        };
        let mut data = BTreeSet::new();
        weights(&graph, &mut data);
        let made = graph.node.iter().flat_map(|node| {
            let maker = (node.op_type.clone(), node.input.first().cloned());
            node.output
                .iter()
                .map(move |output| (output.clone(), maker.clone()))
        });
        Ok(Self {
            data: data.into_iter().collect(),
            makers: made.collect(),
        })
    }

    /// What the values of an output are.
    pub(super) fn ending(&self, output: &str) -> Ending {
        let mut name = output;
        for _ in 0..STEPS_MAX {
            match self.makers.get(name) {
                Some((op, _)) if op == "Sigmoid" || op == "HardSigmoid" => return Ending::Sigmoid,
                Some((op, _)) if op == "Softmax" => return Ending::Softmax,
                Some((op, Some(input))) if MOVING.contains(&op.as_str()) => name = input,
                _ => break,
            }
        }
        Ending::Unknown
    }
}

/// Names of the files of weights of a graph and of the graphs in its operators.
fn weights(graph: &Graph, into: &mut BTreeSet<String>) {
    let attributes = || graph.node.iter().flat_map(|node| &node.attribute);
    let constants = attributes().filter_map(|attribute| attribute.t.as_ref());
    for entry in graph
        .initializer
        .iter()
        .chain(constants)
        .flat_map(|t| &t.external_data)
    {
        if entry.key == "location" {
            into.insert(entry.value.clone());
        }
    }
    // Depth is bounded by what the decoder accepts: 100.
    for inner in attributes().filter_map(|attribute| attribute.g.as_ref()) {
        weights(inner, into);
    }
}

/// The line for a file that is something else.
fn not_onnx(bytes: &[u8]) -> String {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02") {
        return "a PyTorch checkpoint, no ONNX file; export it first: `yolo export model=best.pt format=onnx`, or \
                torch.onnx.export (docs/bundle.md has the line for each family)"
            .into();
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return "a TensorFlow Lite model, no ONNX file; convert it with tf2onnx".into();
    }
    "no ONNX file; export the network to ONNX (docs/bundle.md has the line for each family)".into()
}

#[cfg(test)]
mod tests {
    use super::{Attribute, Ending, Entry, Graph, Model, Node, OnnxFile, Tensor};
    use prost::Message;

    fn node(op: &str, input: &str, output: &str) -> Node {
        Node {
            input: vec![input.into()],
            output: vec![output.into()],
            op_type: op.into(),
            attribute: Vec::new(),
        }
    }

    fn outside(file: &str) -> Tensor {
        Tensor {
            external_data: vec![Entry {
                key: "location".into(),
                value: file.into(),
            }],
        }
    }

    #[test]
    fn files_of_weights_are_found_in_graphs_and_in_their_operators() {
        let branch = Graph {
            initializer: vec![outside("branch.data")],
            node: Vec::new(),
        };
        let mut conditional = node("If", "x", "y");
        conditional.attribute = vec![
            Attribute {
                t: None,
                g: Some(branch),
            },
            Attribute {
                t: Some(outside("constant.data")),
                g: None,
            },
        ];
        let graph = Graph {
            node: vec![conditional],
            initializer: vec![outside("weights.data"), outside("weights.data")],
        };
        let bytes = Model { graph: Some(graph) }.encode_to_vec();
        let read = OnnxFile::read(&bytes).unwrap();
        assert_eq!(read.data, ["branch.data", "constant.data", "weights.data"]);
    }

    #[test]
    fn the_operator_behind_an_output_tells_what_its_values_are() {
        let graph = Graph {
            node: vec![
                node("Sigmoid", "raw", "p"),
                node("Cast", "p", "wide"),
                node("Transpose", "wide", "masks"),
                node("Softmax", "scores", "shares"),
                node("Conv", "x", "logits"),
                // A circle, which no valid graph has, ends.
                node("Identity", "b", "a"),
                node("Identity", "a", "b"),
            ],
            initializer: Vec::new(),
        };
        let read = OnnxFile::read(&Model { graph: Some(graph) }.encode_to_vec()).unwrap();
        for (output, expected) in [
            ("masks", Ending::Sigmoid),
            ("shares", Ending::Softmax),
            ("logits", Ending::Unknown),
            ("a", Ending::Unknown),
            ("nowhere", Ending::Unknown),
        ] {
            assert_eq!(read.ending(output), expected, "{output}");
        }
    }

    #[test]
    fn what_is_no_onnx_file_is_named_with_what_to_do() {
        for (bytes, words) in [
            (&b"PK\x03\x04archive"[..], "PyTorch checkpoint"),
            (b"\x20\x00\x00\x00TFL3", "tf2onnx"),
            (b"a text", "no ONNX file"),
            (b"", "no ONNX file"),
        ] {
            let line = OnnxFile::read(bytes).unwrap_err();
            assert!(line.contains(words), "{line}");
        }
    }
}
