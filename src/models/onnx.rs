//! A trained model as an ONNX file: what goes in, what it gives, and how the two are called.

use burn::backend::Flex;

use super::{AnswerKind, Blueprint};
use crate::data::Scale;
use crate::error::{Error, Problem, Result, thousands};
use crate::layers::ActivationFunction;
use crate::network::{Network, WeightFile};
use crate::onnx::{Graph, Value};
use crate::rng::Seed;
use crate::shape::{ImageShape, Shape};

/// Messages of a file may hold no more bytes; a little less of them are weights.
const MOST_BYTES: usize = (1 << 31) - (1 << 24);

/// What an ONNX file says besides the graph.
pub struct Described<'a> {
    /// What the file is of.
    pub title: &'a str,
    /// The names of the classes, by their numbers.
    pub classes: &'a [String],
    /// What pixels become before the network sees them.
    pub scale: &'a Scale,
}

impl Blueprint {
    /// The model with these weights as an ONNX file, in inference. It takes pixels from 0 to 1 (of a GAN latent
    /// numbers) and gives what its routes lead to.
    ///
    /// # Errors
    /// The weights are not this model's, or are more than a file of that format holds.
    pub fn onnx(&self, weights: &WeightFile, described: &Described) -> Result<Vec<u8>> {
        let bytes = self.plan.cost().parameters * size_of::<f32>();
        if bytes > MOST_BYTES {
            let message = format!(
                "the weights take {} bytes; an ONNX file holds less than {}",
                thousands(bytes),
                thousands(1 << 31)
            );
            return Err(Error::usage(Problem::new(message)));
        }
        let device = Default::default();
        let (plan, classes) = (self.plan.clone(), self.facts.classes);
        let network = Network::<Flex>::build(plan, classes, Seed(0), &device);
        let network = network.take_weights(weights, &|_| true)?;
        let mut graph = Graph::new("network");
        self.write_routes(&network, described.scale, &mut graph);
        let names = serde_json::to_string(described.classes).expect("texts are JSON");
        let metadata = [("classes", names)];
        Ok(graph.file(described.title, env!("CARGO_PKG_VERSION"), &metadata))
    }

    fn write_routes(&self, network: &Network<Flex>, scale: &Scale, graph: &mut Graph) {
        let routes = self.routes();
        let images = self.facts.images;
        if let (None, None, Some(decode), Some(code)) = (
            &routes.classify,
            &routes.encode,
            &routes.decode,
            self.facts.code,
        ) {
            let latent = graph.input("latent", code, "standard normal numbers");
            let made = network.onnx_route(decode, latent, graph);
            let made = pixels(made, images, scale, graph);
            graph.output("images", &made, "pixels from 0, black, to 1");
            return;
        }
        let shape = Shape::Image(images);
        let given = graph.input("images", shape, "pixels from 0, black, to 1");
        let given = scaled(given, images, scale, graph);
        if let Some(classify) = &routes.classify {
            let scores = network.onnx_route(classify, given.clone(), graph);
            self.write_answers(scores, graph);
        }
        if let Some(encode) = &routes.encode {
            let code = network.onnx_route(encode, given, graph);
            graph.output("code", &code, "what the encoder makes of the images");
            if let Some(decode) = &routes.decode {
                let made = network.onnx_route(decode, code, graph);
                let made = pixels(made, images, scale, graph);
                graph.output("reconstruction", &made, "pixels from 0, black, to 1");
            }
        }
    }

    /// The outputs of a classifier, and its probabilities where they are such.
    fn write_answers(&self, scores: Value, graph: &mut Graph) {
        let explained = "one number a class, from 0 to 1, 1 in all";
        match (self.answer_kind(), self.ends_with_softmax()) {
            (AnswerKind::Probability, true) => graph.output("probabilities", &scores, explained),
            (AnswerKind::Probability, false) => {
                graph.enter("answers");
                let name = ActivationFunction::Softmax {}.onnx(&scores, graph);
                graph.output("logits", &scores, "the network's outputs, one a class");
                let shape = scores.shape;
                graph.output("probabilities", &Value { name, shape }, explained);
            }
            (AnswerKind::Score, _) => {
                graph.output(
                    "scores",
                    &scores,
                    "one number a class, the larger, the likelier",
                );
            }
        }
    }
}

/// Pixels as the network sees them.
fn scaled(given: Value, images: ImageShape, scale: &Scale, graph: &mut Graph) -> Value {
    let (factors, offsets) = scale.factors(images.channels);
    with(given, factors, offsets, graph)
}

/// What a network makes of codes as pixels; what lies outside of black and white becomes one of them.
fn pixels(made: Value, images: ImageShape, scale: &Scale, graph: &mut Graph) -> Value {
    graph.enter("pixels");
    let shape = Shape::Image(images);
    let name = match made.shape == shape {
        true => made.name,
        false => graph.reshaped(&made.name, &shape.dims()),
    };
    // Backwards: (value - offset) / factor.
    let (factors, offsets) = scale.factors(images.channels);
    let pairs = factors.iter().zip(&offsets);
    let back = pairs.map(|(factor, offset)| -offset / factor).collect();
    let factors = factors.iter().map(|factor| 1.0 / factor).collect();
    let values = with(Value { name, shape }, factors, back, graph);
    let (black, white) = (graph.float("black", 0.0), graph.float("white", 1.0));
    Value {
        name: graph.node("Clip", &[&values.name, &black, &white], []),
        shape,
    }
}

fn with(value: Value, factors: Vec<f32>, offsets: Vec<f32>, graph: &mut Graph) -> Value {
    if factors.iter().all(|factor| *factor == 1.0) && offsets.iter().all(|offset| *offset == 0.0) {
        return value;
    }
    graph.enter("scale");
    let (factors, offsets) = (Some(("factors", factors)), Some(("offsets", offsets)));
    Value {
        name: graph.scaled(&value, factors, offsets),
        shape: value.shape,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::ModelSpec;
    use super::super::testing::SHAPE;
    use super::*;
    use crate::network::Naming;
    use crate::objective::Loss;
    use crate::onnx::ends;

    /// Names of the inputs and outputs of a fresh model's file.
    fn file_ends(model: Json, loss: &str, scale: &Scale) -> [Vec<String>; 2] {
        let model: ModelSpec = serde_json::from_value(model).unwrap();
        let loss: Loss = serde_json::from_value(loss.into()).unwrap();
        let (plan, flaws) = model.plan(SHAPE, 3, &loss);
        assert_eq!(flaws, []);
        let network = Network::<Flex>::build(plan.clone(), 3, Seed(5), &Default::default());
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("weights.safetensors");
        network.save_weights(&weights).unwrap();
        let blueprint = model.blueprint(plan, 64, SHAPE, &loss, 10, vec![true; 3]);
        let classes = ["a", "b", "c"].map(String::from);
        let described = Described {
            title: "a model",
            classes: &classes,
            scale,
        };
        let weights = WeightFile::read(&weights, Naming::default()).unwrap();
        ends(&blueprint.onnx(&weights, &described).unwrap())
    }

    fn classifier(activation: Json, loss: &str) -> [Vec<String>; 2] {
        let dense = json!({ "dense": { "units": 3, "activation": activation } });
        let model = json!({ "classifier": { "layers": ["flatten", dense] } });
        file_ends(model, loss, &Scale::default())
    }

    #[test]
    fn a_classifier_gives_what_predict_says() {
        let ends = |activation: Json, loss: &str| {
            let [inputs, outputs] = classifier(activation, loss);
            assert_eq!(inputs, ["images"]);
            outputs
        };
        assert_eq!(
            ends(Json::Null, "cross_entropy"),
            ["logits", "probabilities"]
        );
        assert_eq!(ends("softmax".into(), "mse"), ["probabilities"]);
        assert_eq!(ends("sigmoid".into(), "mse"), ["scores"]);
    }

    #[test]
    fn models_of_images_give_pixels() {
        let both = json!({ "autoencoder": {
            "encoder": ["flatten", "concat_label", { "dense": { "units": 2 } }],
            "decoder": ["concat_label", { "dense": { "units": 4 } }],
        } });
        let [inputs, outputs] = file_ends(both, "mse", &Scale::Range([-1.0, 1.0]));
        assert_eq!(inputs, ["images", "label"]);
        assert_eq!(outputs, ["code", "reconstruction"]);
        let gan = json!({ "gan": {
            "latent": 3,
            "generator": [{ "dense": { "units": 4 } }, { "reshape": { "shape": [1, 2, 2] } }],
            "discriminator": ["flatten", { "dense": { "units": 1, "activation": "sigmoid" } }],
        } });
        let [inputs, outputs] = file_ends(gan, "binary_cross_entropy", &Scale::default());
        assert_eq!(
            (inputs, outputs),
            (vec!["latent".to_string()], vec!["images".to_string()])
        );
    }
}
