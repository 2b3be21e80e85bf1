//! Generators: what a trained network is made of, and the recipe that fixes one sample of it.
//!
//! In: a model file and a recipe. Out: the radiograph that the recipe renders.

pub mod architecture;
pub mod card;
pub mod directions;
pub mod export;
pub mod graphics;
pub mod library;
pub mod model_file;
pub mod network;
pub mod recipe;
pub mod render;
pub mod sampler;
#[cfg(test)]
pub mod testing;

pub use architecture::{Architecture, Family};
pub use card::ModelCard;
pub use directions::Direction;
pub use model_file::{ModelError, ModelFile, Precision, Tensors};
pub use recipe::Recipe;
pub use render::{Generator, RenderError};
