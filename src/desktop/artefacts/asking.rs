//! What is asked of the classifiers: the question that belongs to what is on screen, and how far its answer is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::films::Place;
use super::worker::{Job, Question, Subject, Switch, View};
use super::{Artefacts, Page};
use crate::desktop::session::Session;
use crate::progress::Progress;

impl Artefacts {
    /// Where films are to come from; `None` where nothing suits the classifiers.
    pub(super) fn place(&self, session: &Session) -> Option<Place> {
        if let Some(folder) = &self.own_films {
            return Some(Place::Pack(folder.clone()));
        }
        let card = self.pair.as_ref()?.card()?;
        let reference = session.cohort().reference();
        match reference.filter(|reference| reference.identity() == card.training.cohort_hash) {
            Some(reference) => Some(Place::Pack(reference.folder().to_path_buf())),
            None => Place::of(card).or_else(|| {
                // The pack that was open with a model of this cohort before.
                let folder = session.settings.cohorts.get(&card.training.cohort_hash)?;
                folder.is_dir().then(|| Place::Pack(folder.clone()))
            }),
        }
    }

    /// What is to be seen on this page; `None` while something is missing.
    pub(super) fn question(&self, session: &Session) -> Option<Question> {
        let pair = Arc::clone(self.pair.as_ref()?);
        let card = pair.card()?;
        let (subject, finding) = match self.page {
            Page::Film => {
                let films = self.films.as_ref().filter(|films| films.meaning == card.input.meaning)?;
                if self.place(session).as_ref() != Some(&films.place) {
                    return None;
                }
                let finding = self.finding.clone().filter(|finding| pair.findings().contains(finding));
                (Subject::Film(Arc::clone(films), self.film), finding)
            }
            Page::Switch => {
                let model = session.model().filter(|model| model.generator.card().meaning == card.input.meaning)?;
                let finding = self.switched_finding(session)?;
                let (generator, recipe) = (model.generator.clone(), session.recipe().clone());
                if recipe.generator != generator.id() {
                    return None;
                }
                let switch = Switch { generator, recipe, finding: finding.clone() };
                (Subject::Switch(Box::new(switch)), Some(finding))
            }
        };
        Some(Question { subject, pair, finding, block: self.block })
    }

    /// The finding that is switched: the one looked for where the model knows it, else the first that both know.
    pub(super) fn switched_finding(&self, session: &Session) -> Option<String> {
        let vocabulary = &session.model()?.generator.card().vocabulary;
        let known = |finding: &String| vocabulary.position(finding).map(|i| vocabulary.findings[i].clone());
        let findings = self.pair.as_ref()?.findings();
        let looked_for = self.finding.as_ref().filter(|finding| findings.contains(finding));
        looked_for.and_then(known).or_else(|| findings.iter().rev().find_map(known))
    }

    pub(super) fn ask(&mut self, question: Question) {
        self.progress.iter().for_each(Progress::cancel);
        self.progress = [Progress::new(), Progress::new()];
        (self.since, self.stopped) = (Instant::now(), false);
        let known = self.views[self.page as usize].clone();
        self.asked = Some(question.clone());
        self.worker.ask(Job { question, known, progress: self.progress.clone() });
    }

    /// Share of all squares that are masked, and the time left; `None` while no classifier is asked.
    pub(super) fn asking(&self) -> Option<(f32, Option<Duration>)> {
        if !self.worker.is_busy() || self.stopped {
            return None;
        }
        // Another finding of the same film needs no answer, and is there in a moment.
        let asked = self.asked.as_ref()?;
        let known = |view: &Arc<View>| view.seconds.is_some() && view.question.is_about_the_same(asked);
        if self.view().is_some_and(known) {
            return None;
        }
        let classifiers = self.pair.as_ref()?.classifiers.iter().flatten().count().max(1) as f32;
        let share = self.progress.iter().filter_map(Progress::fraction).sum::<f32>() / classifiers;
        let left = (share > 0.02).then(|| self.since.elapsed().mul_f32((1.0 - share).max(0.0) / share));
        Some((share.min(1.0), left))
    }
}
