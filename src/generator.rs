//! Generators: what a trained network is made of, and the recipe that fixes one sample of it.
//!
//! In: a model file and a recipe. Out: the radiograph that the recipe renders.

pub mod architecture;
pub mod card;
pub mod recipe;

pub use architecture::{Architecture, Family};
pub use card::ModelCard;
pub use recipe::Recipe;
