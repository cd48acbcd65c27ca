//! How many values a network holds at a time, and the batches of inference and parts of batches in training that follow
//! from it.

use super::plan::{Flow, Node, Plan};

/// Images that are led through without gradients at a time, at most.
const MOST_IMAGES: usize = 500;

/// Bytes that their values take at most, unless a step of training takes more.
const ROOM: usize = 512 << 20;

/// Bytes of values that a step on the CPU makes and reads again; more have left every cache by then.
const CACHED: usize = 64 << 20;

/// Bytes of values in a part of a batch that takes more than that. The least time of an epoch of the benchmark's convolutional
/// auto-encoder was that of 32 images at a time: 16 to 64 took up to 1.2 of it, 128 and whole batches 1.4.
const PART: usize = 8 << 20;

/// Bytes of values for a byte of weights, at least: with every part the weights are read, and gradients of their size
/// added up. Of the benchmark's classifier parts of 9 MiB cost a tenth, of 18 nothing.
const VALUES_A_WEIGHT: usize = 16;

/// Bytes of a value.
const VALUE: usize = 4;

impl Plan {
    /// Values of one image that are held at a time, at most, when it is led through without gradients.
    pub fn values_in_inference(&self) -> usize {
        self.most_held(&self.nodes)
    }

    /// Values of one image that a training step keeps: each layer's output, and a gradient of its size.
    pub fn values_in_training(&self) -> usize {
        let outputs = self.layers.iter().map(|layer| layer.output.len());
        outputs.fold(0, usize::saturating_add).saturating_mul(2)
    }

    /// Images that are led through without gradients at a time where training makes those of `trained` at a time: at most
    /// 500, and no more than fit 512 MiB unless training needs that much anyway. It depends on nothing else, so that the
    /// last digits of sums over batches do not either.
    pub fn evaluation_batch(&self, trained: usize) -> usize {
        let image = VALUE.saturating_mul(self.values_in_inference().max(1));
        (ROOM / image).max(trained).clamp(1, MOST_IMAGES)
    }

    /// Images whose gradients the CPU makes at a time where training takes steps of `batch_size`: the whole batch, unless its
    /// values are more than caches hold; `walks` are the times that a step leads it through the network before it makes gradients.
    /// It depends on nothing else, so that the last digits of sums do not either.
    pub fn micro_batch(&self, batch_size: usize, walks: usize) -> usize {
        let values = self.values_in_training().saturating_mul(walks);
        let image = VALUE.saturating_mul(values.max(1));
        let batch = image.saturating_mul(batch_size);
        if batch <= CACHED {
            return batch_size;
        }
        let weights = VALUE.saturating_mul(self.cost().parameters);
        let part = PART.max(weights.saturating_mul(VALUES_A_WEIGHT));
        batch_size.div_ceil(batch.div_ceil(part))
    }

    /// What a list of layers holds at most, its input included.
    fn most_held(&self, nodes: &[Node]) -> usize {
        let held = nodes.iter().map(|node| match &node.flow {
            Flow::Layer(layer) => {
                let layer = &self.layers[*layer];
                let results = 1 + usize::from(layer.activation.is_some());
                let outputs = layer.output.len().saturating_mul(results);
                layer.input.len().saturating_add(outputs)
            }
            Flow::Block { lists, .. } => self.held_by_block(node, lists),
        });
        held.max().unwrap_or(0)
    }

    /// The same of a block, which keeps its input and what lists before have made until all are joined.
    fn held_by_block(&self, block: &Node, lists: &[Vec<Node>]) -> usize {
        let input = lists.iter().find_map(|list| self.input_of(list.first()?));
        let (mut kept, mut most) = (input.unwrap_or(0), 0);
        for list in lists {
            most = most.max(kept.saturating_add(self.most_held(list)));
            let made = list.last().map_or(0, |node| node.output.len());
            kept = kept.saturating_add(made);
        }
        most.max(kept.saturating_add(block.output.len()))
    }

    fn input_of(&self, node: &Node) -> Option<usize> {
        match &node.flow {
            Flow::Layer(layer) => Some(self.layers[*layer].input.len()),
            Flow::Block { lists, .. } => lists.iter().find_map(|list| self.input_of(list.first()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::super::testing::planned;

    /// Layers before a classifier's last one.
    fn plan(layers: &str) -> Plan {
        planned(&format!(
            "{layers}, 'flatten', {{ dense = {{ units = 'classes' }} }}"
        ))
    }

    #[test]
    fn a_layer_holds_its_input_and_its_output_before_and_after_the_activation_function() {
        let plain = planned("'flatten', { dense = { units = 'classes' } }");
        assert_eq!(plain.values_in_inference(), 2 * 784);
        assert_eq!(plain.values_in_training(), 2 * (784 + 10));
        let wide = planned(
            "'flatten', { dense = { units = 1000, activation = 'relu' } }, { dense = { units = 'classes' } }",
        );
        assert_eq!(wide.values_in_inference(), 784 + 2 * 1000);
    }

    #[test]
    fn a_block_keeps_its_input_and_what_its_branches_made() {
        let residual =
            plan("{ residual = { layers = [{ conv2d = { filters = 1, kernel = 3 } }] } }");
        assert_eq!(residual.values_in_inference(), 3 * 784);
        let branch = "{ layers = [{ conv2d = { filters = 4, kernel = 3 } }] }";
        let parallel = plan(&format!(
            "{{ parallel = {{ branches = [{branch}, {branch}] }} }}"
        ));
        // The input, both branches, and both behind each other.
        assert_eq!(parallel.values_in_inference(), (1 + 4 + 4 + 8) * 784);
    }

    #[test]
    fn batches_shrink_to_what_fits_and_are_never_smaller_than_those_of_training() {
        let small = planned("'flatten', { dense = { units = 'classes' } }");
        assert_eq!(small.evaluation_batch(2), 500);
        assert_eq!(small.evaluation_batch(1000), 500);
        // 64 + 64 + 1 planes of 28 x 28 values of 4 bytes.
        let filters = |n: usize| {
            plan(&format!(
                "{{ conv2d = {{ filters = {n}, kernel = 3, activation = 'relu' }} }}"
            ))
        };
        assert_eq!(filters(64).evaluation_batch(2), 500);
        assert_eq!(
            filters(640).evaluation_batch(2),
            (512 << 20) / (4 * 784 * 1281)
        );
        assert_eq!(filters(640).evaluation_batch(200), 200);
        assert_eq!(filters(64_000).evaluation_batch(1), 1);
    }

    #[test]
    fn batches_that_leave_the_caches_are_cut_into_parts_that_do_not() {
        let filters = |n: usize| {
            plan(&format!(
                "{{ conv2d = {{ filters = {n}, kernel = 3, stride = 2 }} }}, 'global_avg_pool'"
            ))
        };
        // Outputs and their gradients: 32 planes of 14 x 14, their means, which are flattened, and 10 classes.
        let image = 4 * 2 * (32 * 196 + 32 + 32 + 10);
        let most = (64 << 20) / image;
        assert_eq!(filters(32).micro_batch(most, 1), most);
        assert_eq!(filters(32).micro_batch(most, 2), most.div_ceil(16));
        let parts = (image * (most + 1)).div_ceil(8 << 20);
        assert_eq!(parts, 9);
        assert_eq!(
            filters(32).micro_batch(most + 1, 1),
            (most + 1).div_ceil(parts)
        );
        // 1.6 million weights, of which each part makes gradients, ask for larger parts, 10 million for whole batches.
        let dense = |units: usize| {
            let layers = format!("'flatten', {{ dense = {{ units = {units} }} }}");
            planned(&format!("{layers}, {{ dense = {{ units = 'classes' }} }}"))
        };
        assert_eq!(dense(2_000).micro_batch(20_000, 1), 20_000 / 5);
        assert_eq!(dense(12_000).micro_batch(2_000, 1), 2_000);
        assert_eq!(filters(640_000).micro_batch(3, 1), 1);
    }
}
