//! A gate and a segmenter that begin with the same operators on the same weights: their common encoder runs once.
//!
//! Found in the graphs themselves, whose bytes match their digests: the gate also gives the values at which the graphs part,
//! and the segmenter begins there. Only values that the graphs quantise to bytes are handed over. They are the same whatever
//! follows them, so both networks give what they give alone, to the last bit; where graphs part anywhere else, nothing is shared.
//!
//! Operators and weights stay the bytes that they are.

mod messages;
#[cfg(test)]
mod tests;

use messages::{
    Attribute, Dimension, Graph, INT8, Model, Node, Shape, Tensor, TensorType, Type, UINT8, ValueInfo,
};
use prost::Message;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Most values at which two graphs may part.
const FEATURES_MAX: usize = 16;
/// A value of a gate that a segmenter goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feature {
    /// Its name in both graphs.
    pub(crate) name: String,
    /// Number of its element type: bytes, with or without a sign.
    element: i32,
}

impl Feature {
    /// Whether its bytes have a sign.
    pub(crate) const fn is_signed(&self) -> bool {
        self.element == INT8
    }
}

/// Two graphs that share their encoder.
pub(crate) struct SharedEncoder {
    /// The gate, with the features among its outputs.
    pub(crate) gate: Vec<u8>,
    /// The values at which the graphs part.
    pub(crate) features: Vec<Feature>,
    segmenter: Model,
}

impl SharedEncoder {
    /// What two graphs share that both see `input`; none if they share nothing, or part where nothing is quantised.
    pub(crate) fn find(gate: &[u8], segmenter: &[u8], input: &str) -> Option<Self> {
        // Before a graph with all its weights is copied.
        if !quantises(gate) || !quantises(segmenter) {
            return None;
        }
        let first = Parsed::read(gate)?;
        let second = Parsed::read(segmenter)?;
        if !first.same_operators(&second) || first.declared(input) != second.declared(input) {
            return None;
        }
        let cut = Cut::find(&first, &second, input)?;
        let features = cut.features(&second)?;
        Some(Self {
            gate: first.with_outputs(&features),
            segmenter: cut.rest(second),
            features,
        })
    }

    /// The segmenter from the features on; `shapes` are theirs, in their order, free axes below 0.
    pub(crate) fn segmenter(mut self, shapes: &[Vec<i64>]) -> Vec<u8> {
        let inputs = self.features.iter().zip(shapes).map(|(feature, shape)| {
            let info = ValueInfo {
                name: feature.name.clone(),
                ty: Some(Type {
                    tensor_type: Some(TensorType {
                        elem_type: feature.element,
                        shape: Some(Shape {
                            dim: shape.iter().map(|&axis| dimension(axis)).collect(),
                        }),
                    }),
                }),
            };
            info.encode_to_vec()
        });
        if let Some(graph) = &mut self.segmenter.graph {
            graph.input = inputs.collect();
        }
        self.segmenter.encode_to_vec()
    }
}

/// Whether a graph names an operator that quantises.
fn quantises(graph: &[u8]) -> bool {
    const NAME: &[u8] = b"QuantizeLinear";
    graph.windows(NAME.len()).any(|at| at == NAME)
}

fn dimension(axis: i64) -> Dimension {
    if axis < 0 {
        Dimension {
            value: None,
            symbol: Some("n".to_owned()),
        }
    } else {
        Dimension {
            value: Some(axis),
            symbol: None,
        }
    }
}

/// A graph, its operators and weights by name.
struct Parsed {
    model: Model,
    graph: Graph,
    nodes: Vec<Node>,
    /// By name: where it stands among the initializers, and its element type.
    weights: HashMap<String, (usize, i32)>,
}

impl Parsed {
    /// None for what is not understood here.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut model = Model::decode(bytes).ok()?;
        let graph = model.graph.take()?;
        if !model.functions.is_empty() || !graph.sparse_initializer.is_empty() {
            return None;
        }
        let nodes = graph.node.iter().map(|bytes| Node::decode(&bytes[..]).ok());
        let nodes = nodes.collect::<Option<Vec<Node>>>()?;
        let holds_graphs = |a: &Attribute| !a.g.is_empty() || !a.graphs.is_empty();
        if nodes.iter().flat_map(|node| &node.attribute).any(holds_graphs) {
            return None;
        }
        let mut weights = HashMap::new();
        for (at, bytes) in graph.initializer.iter().enumerate() {
            let tensor = Tensor::decode(&bytes[..]).ok()?;
            if !tensor.external_data.is_empty() {
                return None;
            }
            weights.insert(tensor.name, (at, tensor.data_type));
        }
        Some(Self {
            model,
            graph,
            nodes,
            weights,
        })
    }

    /// Whether an operator means the same in both.
    fn same_operators(&self, other: &Self) -> bool {
        let (a, b) = (&self.model, &other.model);
        a.ir_version == b.ir_version && a.opset_import == b.opset_import
    }

    /// What the graph says of an input: element type and shape, as bytes.
    fn declared(&self, input: &str) -> Option<&Vec<u8>> {
        let is_it = |bytes: &&Vec<u8>| ValueInfo::decode(&bytes[..]).is_ok_and(|info| info.name == input);
        self.graph.input.iter().find(is_it)
    }

    fn weight(&self, name: &str) -> Option<&Vec<u8>> {
        self.weights.get(name).map(|&(at, _)| &self.graph.initializer[at])
    }

    /// The model with more outputs, whose types ONNX Runtime finds out.
    fn with_outputs(mut self, features: &[Feature]) -> Vec<u8> {
        self.graph.output.extend(features.iter().map(|feature| {
            let info = ValueInfo {
                name: feature.name.clone(),
                ty: None,
            };
            info.encode_to_vec()
        }));
        self.model.graph = Some(self.graph);
        self.model.encode_to_vec()
    }
}

/// Which operators of the segmenter the gate has, too.
struct Cut {
    /// By operator of the segmenter: the gate gives what it gives.
    is_shared: Vec<bool>,
    /// By operator of the segmenter: it depends on weights alone.
    is_constant: Vec<bool>,
    /// By value: the operator of the segmenter that makes it.
    makers: HashMap<String, usize>,
}

impl Cut {
    fn find(gate: &Parsed, segmenter: &Parsed, input: &str) -> Option<Self> {
        let of_gate: HashSet<&[u8]> = gate.graph.node.iter().map(Vec::as_slice).collect();
        let mut cut = Self {
            is_shared: Vec::new(),
            is_constant: Vec::new(),
            makers: HashMap::new(),
        };
        for (at, node) in segmenter.nodes.iter().enumerate() {
            let maker = |name: &String| cut.makers.get(name).copied();
            let is_weight = |name: &String| name.is_empty() || segmenter.weights.contains_key(name);
            let is_constant = node
                .input
                .iter()
                .all(|name| is_weight(name) || maker(name).is_some_and(|at| cut.is_constant[at]));
            let is_same = |name: &String| {
                name.is_empty()
                    || name == input
                    || maker(name).is_some_and(|at| cut.is_shared[at])
                    || segmenter
                        .weight(name)
                        .is_some_and(|weight| gate.weight(name) == Some(weight))
            };
            let is_shared = of_gate.contains(&segmenter.graph.node[at][..]) && node.input.iter().all(is_same);
            cut.is_shared.push(is_shared);
            cut.is_constant.push(is_constant);
            for output in &node.output {
                // A name that is made twice is no ONNX.
                if cut.makers.insert(output.clone(), at).is_some() {
                    return None;
                }
            }
        }
        Some(cut)
    }

    /// Whether the segmenter still has to run an operator: it is its own, one of weights alone, or turns bytes that are handed
    /// over into numbers.
    fn stays(&self, at: usize, segmenter: &Parsed) -> bool {
        !self.is_shared[at] || self.is_constant[at] || segmenter.nodes[at].op_type == "DequantizeLinear"
    }

    /// The values that the gate has to hand over; none where one of them is not quantised.
    fn features(&self, segmenter: &Parsed) -> Option<Vec<Feature>> {
        let needed = self.needed(segmenter);
        let mut found = Vec::new();
        for name in &needed {
            let Some(&at) = self.makers.get(name) else {
                continue;
            };
            if !self.is_shared[at] || self.stays(at, segmenter) {
                continue;
            }
            let node = &segmenter.nodes[at];
            let zero = node.input.get(2).and_then(|zero| segmenter.weights.get(zero));
            match zero {
                Some(&(_, element @ (UINT8 | INT8))) if node.op_type == "QuantizeLinear" => {
                    found.push(Feature {
                        name: name.clone(),
                        element,
                    });
                }
                _ => return None,
            }
        }
        (1..=FEATURES_MAX).contains(&found.len()).then_some(found)
    }

    /// Names of all values that its remaining operators and outputs need.
    fn needed(&self, segmenter: &Parsed) -> BTreeSet<String> {
        let outputs = segmenter
            .graph
            .output
            .iter()
            .filter_map(|bytes| ValueInfo::decode(&bytes[..]).ok())
            .map(|info| info.name);
        let mut needed: BTreeSet<String> = outputs.collect();
        // Operators stand behind those whose values they use.
        for (at, node) in segmenter.nodes.iter().enumerate().rev() {
            if self.stays(at, segmenter) && node.output.iter().any(|name| needed.contains(name)) {
                needed.extend(node.input.iter().cloned());
            }
        }
        needed
    }

    /// The segmenter without what the gate does.
    fn rest(&self, segmenter: Parsed) -> Model {
        let needed = self.needed(&segmenter);
        let stays = |at: usize| {
            self.stays(at, &segmenter)
                && segmenter.nodes[at]
                    .output
                    .iter()
                    .any(|name| needed.contains(name))
        };
        let node = (0..segmenter.nodes.len())
            .filter(|&at| stays(at))
            .map(|at| segmenter.graph.node[at].clone());
        let mut kept: Vec<usize> = needed
            .iter()
            .filter_map(|name| segmenter.weights.get(name).map(|&(at, _)| at))
            .collect();
        kept.sort_unstable();
        let graph = Graph {
            node: node.collect(),
            name: segmenter.graph.name.clone(),
            initializer: kept
                .iter()
                .map(|&at| segmenter.graph.initializer[at].clone())
                .collect(),
            input: Vec::new(),
            output: segmenter.graph.output.clone(),
            sparse_initializer: Vec::new(),
        };
        Model {
            graph: Some(graph),
            ..segmenter.model
        }
    }
}
