//! What the networks of a run compute in.

use serde::{Deserialize, Serialize};

/// What the networks compute in; it is part of what fixes a run's weights, so that the spec states it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub enum Precision {
    /// 32-bit numbers throughout.
    #[default]
    #[serde(rename = "f32")]
    F32,
}

impl TryFrom<String> for Precision {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "f32" => Ok(Self::F32),
            _ => Err(format!("precision {text}: only f32 is offered")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::generator::Family;
    use crate::training::presets::preset;
    use crate::training::spec::RunSpec;

    #[test]
    fn a_precision_that_is_not_offered_is_refused_by_name() {
        let text = preset("small-32", Family::CpdGan).unwrap().to_toml();
        assert!(text.contains("precision = \"f32\"\n"), "{text}");
        let refused = RunSpec::parse(&text.replace("precision = \"f32\"", "precision = \"bf16\"")).unwrap_err();
        assert!(refused.contains("precision bf16: only f32 is offered"), "{refused}");
    }
}
