//! `negatoscope sample`: recipes in, radiographs that carry them out.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::compute::graphics::Graphics;
use crate::generator::{Generator, ModelCard, Recipe, RenderError, export, library};
use crate::radiograph::{PngText, Radiograph, Window, encode_png8};
use crate::store;

/// Words that fix a sample; shared by the verbs that render.
#[derive(Debug, Args)]
pub struct RecipeArgs {
    /// Model to sample: a shipped name or a file.
    #[arg(long)]
    pub model: Option<String>,
    /// A finding to switch on, with its strength after a colon where it is not 1: "Edema" or "Edema:0.5".
    #[arg(long = "finding", value_name = "FINDING[:STRENGTH]")]
    pub findings: Vec<String>,
    /// Seed of the first sample.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How many samples; each next one has the next seed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// Draw each latent coordinate anew until it lies within ± this.
    #[arg(long, value_name = "LIMIT")]
    pub truncation: Option<f32>,
    /// Take everything from this recipe line instead.
    #[arg(long, conflicts_with_all = ["findings", "truncation"])]
    pub recipe: Option<String>,
}

impl RecipeArgs {
    fn asked(&self) -> anyhow::Result<Option<Recipe>> {
        Ok(self.recipe.as_deref().map(str::parse::<Recipe>).transpose()?)
    }

    /// The file of the model that these words name.
    pub fn model_file(&self) -> anyhow::Result<PathBuf> {
        let asked = self.asked()?;
        let name = match (&self.model, &asked) {
            (Some(name), _) => name.as_str(),
            (None, Some(recipe)) => &recipe.generator,
            (None, None) => anyhow::bail!("say which model: --model NAME (\"negatoscope models\" lists them)"),
        };
        Ok(library::find(name)?)
    }

    /// The model these words name, and one recipe for each sample.
    pub fn resolve(&self) -> anyhow::Result<(Generator, Vec<Recipe>)> {
        let asked = self.asked()?;
        let generator = Generator::load(&self.model_file()?)?;
        let first = match asked {
            Some(recipe) => recipe,
            None => self.recipe_of(&generator)?,
        };
        let recipes =
            (0..u64::from(self.count)).map(|i| Recipe { seed: first.seed.wrapping_add(i), ..first.clone() }).collect();
        Ok((generator, recipes))
    }

    fn recipe_of(&self, generator: &Generator) -> anyhow::Result<Recipe> {
        let mut recipe = Recipe::new(generator.id(), self.seed);
        recipe.truncation = self.truncation;
        let vocabulary = &generator.card().vocabulary;
        for word in &self.findings {
            let (name, strength) = match word.rsplit_once(':') {
                Some((name, strength)) => {
                    let strength: f32 =
                        strength.parse().with_context(|| format!("\"{word}\" has no number after :"))?;
                    (name, strength)
                }
                None => (word.as_str(), 1.0),
            };
            let position = vocabulary.position(name).with_context(|| {
                let known = vocabulary.findings.join(", ");
                format!("{} does not know the finding \"{name}\"; it knows: {known}", generator.card().name)
            })?;
            recipe.set_strength(&vocabulary.findings[position], strength);
        }
        Ok(recipe)
    }
}

/// Words of the verb.
#[derive(Debug, Args)]
pub struct SampleArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// A .png or .dcm file, or a folder for one file per sample. Several samples in one .png become a contact sheet.
    #[arg(long)]
    out: PathBuf,
    /// Where to compute: cpu, whose pixels are the same every time; or gpu or gpu:N, any graphics device, whose pixels
    /// differ from those by rounding.
    #[arg(long, default_value = "cpu", value_parser = SampleDevice::parse)]
    device: SampleDevice,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Where samples are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SampleDevice {
    Cpu,
    Graphics(Option<usize>),
}

impl SampleDevice {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("samples are not computed on \"{text}\"; say cpu, gpu or gpu:N");
        match text.to_ascii_lowercase().split_once(':') {
            None if text.eq_ignore_ascii_case("cpu") => Ok(Self::Cpu),
            None if text.eq_ignore_ascii_case("gpu") => Ok(Self::Graphics(None)),
            Some(("gpu", number)) => Ok(Self::Graphics(Some(number.parse().map_err(|_| wrong())?))),
            _ => Err(wrong()),
        }
    }

    /// The samples, and what they were computed on; on the processor with a sentence that says why, where the graphics
    /// device fails.
    fn render(
        self,
        generator: &Generator,
        file: &Path,
        recipes: &[Recipe],
    ) -> anyhow::Result<(Vec<Radiograph>, String)> {
        let Self::Graphics(number) = self else {
            return Ok((generator.render_batch(recipes)?, "the CPU".to_owned()));
        };
        let drawn = Graphics::open(number).map_err(anyhow::Error::from).and_then(|graphics| {
            let sampler = generator.bring_to(&graphics, file)?;
            Ok((generator.render_on(&sampler, recipes)?, graphics.name().to_owned()))
        });
        match drawn {
            Ok(drawn) => Ok(drawn),
            // A recipe that cannot be rendered cannot be rendered anywhere.
            Err(error) if matches!(error.downcast_ref(), Some(RenderError::Graphics(_)) | None) => {
                eprintln!("negatoscope: {error}; sampling on the CPU instead.");
                Self::Cpu.render(generator, file, recipes)
            }
            Err(error) => Err(error),
        }
    }
}

/// Renders the samples and writes them.
pub fn run(args: &SampleArgs) -> anyhow::Result<()> {
    let (generator, recipes) = args.recipe.resolve()?;
    let (samples, device) = args.device.render(&generator, &args.recipe.model_file()?, &recipes)?;
    let card = generator.card();
    let extension = args.out.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let mut written = Vec::new();
    match (extension.as_str(), samples.as_slice()) {
        ("png", [sample]) => written.push(save(&args.out, &export::png(sample, &recipes[0], &generator)?)?),
        ("dcm", [sample]) => written.push(save(&args.out, &export::dicom(sample, &recipes[0], &generator)?)?),
        ("png", _) => written.push(save(&args.out, &sheet(&samples, &recipes, &generator)?)?),
        ("dcm", _) => anyhow::bail!("a .dcm file holds one sample; name a folder for {} samples", samples.len()),
        _ => {
            std::fs::create_dir_all(&args.out)
                .with_context(|| format!("cannot make the folder {}", args.out.display()))?;
            for (sample, recipe) in samples.iter().zip(&recipes) {
                let path = args.out.join(format!("{}-{}.png", card.name, recipe.seed));
                written.push(save(&path, &export::png(sample, recipe, &generator)?)?);
            }
        }
    }
    if args.json {
        let lines: Vec<String> = recipes.iter().map(Recipe::to_string).collect();
        println!("{}", serde_json::json!({ "files": written, "recipes": lines, "device": device }));
    } else {
        println!("{} sample(s) of {} in {}, computed on {device}", samples.len(), card.name, args.out.display());
    }
    Ok(())
}

fn save(path: &Path, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    store::write_atomic(path, bytes)?;
    Ok(path.to_path_buf())
}

/// All samples in one picture, near to square, as seen through the model's own window.
fn sheet(samples: &[Radiograph], recipes: &[Recipe], generator: &Generator) -> anyhow::Result<Vec<u8>> {
    let card: &ModelCard = generator.card();
    let window = Window::spanning(card.range[0], card.range[1]);
    let side = card.architecture.resolution;
    let columns = (samples.len() as f64).sqrt().ceil() as usize;
    let (width, height) = (columns * side, samples.len().div_ceil(columns) * side);
    let mut grey = vec![0u8; width * height];
    for (i, sample) in samples.iter().enumerate() {
        let origin = (i / columns) * side * width + (i % columns) * side;
        for (y, row) in sample.pixels().chunks_exact(side).enumerate() {
            for (x, &value) in row.iter().enumerate() {
                grey[origin + y * width + x] = (window.apply(value) * 255.0).round() as u8;
            }
        }
    }
    let text: Vec<PngText> = export::text(recipes, generator);
    Ok(encode_png8(width, height, &grey, &text)?)
}
