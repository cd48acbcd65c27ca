//! The fields that layers share, written once: a layer's file writes its own between them.

use super::{ActivationFunction, Activity};

/// What the shared fields say.
pub trait Shared {
    /// The `name` the file gives it, if any.
    fn name(&self) -> Option<&str>;

    /// The activation function that the network applies to its output, if any.
    fn activation(&self) -> Option<ActivationFunction> {
        None
    }

    /// What its outputs add to the loss, if anything.
    fn activity(&self) -> Option<&Activity> {
        None
    }
}

/// Declares the fields of a layer: a name, then its own.
macro_rules! layer {
    ($(#[$doc:meta])* pub struct $Name:ident { $($own:tt)* }) => {
        $crate::layers::fields::layer! { @fields $(#[$doc])* pub struct $Name { $($own)* } }

        impl $crate::layers::fields::Shared for $Name {
            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }
        }
    };
    (@fields $(#[$doc:meta])* pub struct $Name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            /// What the layer is called in summaries, logs and grid keys.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            $($own)*
        }
    };
}

/// Declares the fields of a layer with weights, a bias and an activation function; some of its own may follow them.
macro_rules! trained_layer {
    ($(#[$doc:meta])* pub struct $Name:ident { $($own:tt)* } $(then { $($last:tt)* })?) => {
        $crate::layers::fields::layer! {
            @fields
            $(#[$doc])*
            pub struct $Name {
                $($own)*
                /// Activation function after the bias. Default none.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub activation: Option<$crate::layers::ActivationFunction>,
                /// Whether a bias is added to each output channel. Default true.
                #[serde(default = "crate::layers::fields::yes")]
                pub bias: bool,
                /// First values of the weights. Default glorot_uniform.
                #[serde(default = "crate::layers::init::glorot_uniform")]
                pub init: $crate::layers::Initializer,
                /// First values of the bias. Default zeros.
                #[serde(default = "crate::layers::init::zeros")]
                pub bias_init: $crate::layers::Initializer,
                /// `l1 * sum |w|` of the weights is added to the loss that training minimizes, not to those that are reported. Default 0.
                #[serde(
                    default = "crate::layers::penalty::none",
                    skip_serializing_if = "crate::layers::penalty::is_none"
                )]
                pub l1: $crate::value::NonNegative,
                /// `l2 * sum w^2` of the weights is added to the loss that training minimizes, not to those that are reported. Default 0.
                #[serde(
                    default = "crate::layers::penalty::none",
                    skip_serializing_if = "crate::layers::penalty::is_none"
                )]
                pub l2: $crate::value::NonNegative,
                /// What its outputs add to the loss, of auto-encoders to those that are reported, too. Default nothing.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub activity: Option<$crate::layers::Activity>,
                $($($last)*)?
            }
        }

        impl $crate::layers::fields::Shared for $Name {
            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }

            fn activation(&self) -> Option<$crate::layers::ActivationFunction> {
                self.activation
            }

            fn activity(&self) -> Option<&$crate::layers::Activity> {
                self.activity.as_ref()
            }
        }
    };
}

pub(super) use {layer, trained_layer};

pub(super) fn yes() -> bool {
    true
}
