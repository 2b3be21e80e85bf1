//! The trainable tensors of a network, by name and in the order of their list.

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use std::collections::{BTreeMap, HashMap};

/// Tensors as plain numbers: name to shape and values, as model files and checkpoints hold them.
pub type Named = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// One named tensor; a variable unless it belongs to a detached copy.
#[derive(Debug, Clone)]
struct Entry {
    name: String,
    tensor: Tensor,
    variable: Option<Var>,
}

/// Named tensors of one network, in the order of the list they were made from.
#[derive(Debug, Clone)]
pub struct Parameters {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

impl Parameters {
    /// Variables for every `(name, shape)` of `list`, filled with the numbers that `values(name, count)` gives.
    ///
    /// # Errors
    /// If a name occurs twice, or `values` gives the wrong count.
    pub fn new(
        list: impl IntoIterator<Item = (String, Vec<usize>)>,
        device: &Device,
        mut values: impl FnMut(&str, usize) -> Vec<f32>,
    ) -> Result<Self> {
        let mut entries = Vec::new();
        for (name, shape) in list {
            let numbers = values(&name, shape.iter().product());
            let variable = Var::from_vec(numbers, shape, device)?;
            entries.push(Entry { name, tensor: variable.as_tensor().clone(), variable: Some(variable) });
        }
        Self::of(entries)
    }

    /// Variables for every `(name, shape)` of `list` with the numbers found under the same name.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn from_vecs(
        list: impl IntoIterator<Item = (String, Vec<usize>)>,
        tensors: &Named,
        device: &Device,
    ) -> Result<Self> {
        let parameters = Self::new(list, device, |_, count| vec![0.0; count])?;
        parameters.load(tensors)?;
        Ok(parameters)
    }

    fn of(entries: Vec<Entry>) -> Result<Self> {
        let mut places = HashMap::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            if places.insert(entry.name.clone(), place).is_some() {
                bail!("two parameters are called {}", entry.name);
            }
        }
        Ok(Self { entries, places })
    }

    /// The tensor of this name, to compute with.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        match self.places.get(name) {
            Some(place) => Ok(&self.entries[*place].tensor),
            None => bail!("the network has no parameter called {name}"),
        }
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// All tensors with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|entry| (entry.name.as_str(), &entry.tensor))
    }

    /// All variables with their names, in order; none for a detached copy.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.entries.iter().filter_map(|entry| Some((entry.name.as_str(), entry.variable.as_ref()?)))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no tensors at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of scalars in all tensors.
    pub fn count(&self) -> usize {
        self.entries.iter().map(|entry| entry.tensor.elem_count()).sum()
    }

    /// The same numbers without gradients, in the same memory: for a network that is used but not trained in a step.
    /// Later updates of the variables show through.
    #[must_use]
    pub fn detached(&self) -> Self {
        let detach = |entry: &Entry| Entry { name: entry.name.clone(), tensor: entry.tensor.detach(), variable: None };
        Self { entries: self.entries.iter().map(detach).collect(), places: self.places.clone() }
    }

    /// Variables of their own memory with the same numbers.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn copied(&self) -> Result<Self> {
        let copy = |entry: &Entry| {
            let variable = Var::from_tensor(&entry.tensor.detach().copy()?)?;
            Ok(Entry { name: entry.name.clone(), tensor: variable.as_tensor().clone(), variable: Some(variable) })
        };
        Ok(Self { entries: self.entries.iter().map(copy).collect::<Result<_>>()?, places: self.places.clone() })
    }

    /// All numbers, on the CPU.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn to_vecs(&self) -> Result<Named> {
        let read = |entry: &Entry| {
            let numbers = entry.tensor.detach().to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            Ok((entry.name.clone(), (entry.tensor.dims().to_vec(), numbers)))
        };
        self.entries.iter().map(read).collect()
    }

    /// Overwrites every variable with the numbers found under its name.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape, in which case nothing has been changed; or if this is a detached copy.
    pub fn load(&self, tensors: &Named) -> Result<()> {
        for entry in &self.entries {
            let Some((shape, numbers)) = tensors.get(&entry.name) else {
                bail!("the tensor {} is missing", entry.name)
            };
            if shape != entry.tensor.dims() || numbers.len() != entry.tensor.elem_count() {
                bail!("the tensor {} has the shape {shape:?} in place of {:?}", entry.name, entry.tensor.dims());
            }
            if entry.variable.is_none() {
                bail!("{} belongs to a detached copy, which cannot be loaded into", entry.name);
            }
        }
        for entry in &self.entries {
            if let (Some(variable), Some((shape, numbers))) = (&entry.variable, tensors.get(&entry.name)) {
                let value = Tensor::from_slice(numbers, shape.as_slice(), variable.device())?;
                variable.set(&value.to_dtype(variable.dtype())?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Parameters {
        let list = [("b".to_string(), vec![2]), ("a".to_string(), vec![2, 3])];
        Parameters::new(list, &Device::Cpu, |name, n| vec![f32::from(name == "a"); n]).unwrap()
    }

    #[test]
    fn order_is_that_of_the_list_and_numbers_come_back() {
        let parameters = two();
        assert_eq!(parameters.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!((parameters.len(), parameters.count()), (2, 8));
        let mut tensors = parameters.to_vecs().unwrap();
        assert_eq!(tensors["a"], (vec![2, 3], vec![1.0; 6]));
        tensors.insert("b".into(), (vec![2], vec![3.0, 4.0]));
        let detached = parameters.detached();
        parameters.load(&tensors).unwrap();
        assert_eq!(detached.get("b").unwrap().to_vec1::<f32>().unwrap(), [3.0, 4.0], "later updates show through");
        assert_eq!(detached.variables().count(), 0);
        assert!(!detached.get("a").unwrap().track_op());
    }

    #[test]
    fn wrong_tensors_change_nothing() {
        let parameters = two();
        let mut tensors = parameters.to_vecs().unwrap();
        tensors.insert("b".into(), (vec![2], vec![9.0, 9.0]));
        tensors.insert("a".into(), (vec![3, 2], vec![9.0; 6]));
        let message = parameters.load(&tensors).unwrap_err().to_string();
        assert!(message.contains("a has the shape [3, 2]"), "{message}");
        tensors.remove("a");
        assert!(parameters.load(&tensors).unwrap_err().to_string().contains("a is missing"));
        assert_eq!(parameters.to_vecs().unwrap()["b"].1, [0.0, 0.0]);
        assert!(parameters.get("c").is_err());
        let twice = [("x".to_string(), vec![1]), ("x".to_string(), vec![1])];
        assert!(Parameters::new(twice, &Device::Cpu, |_, n| vec![0.0; n]).is_err());
    }
}
