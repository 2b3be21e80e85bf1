//! Where a run is trained: on this computer, or as a job of a Slurm cluster.

use eframe::egui::{DragValue, RichText, TextEdit, Ui, vec2};

use super::{Form, line, seeds};
use crate::desktop::state::ClusterChoice;
use crate::desktop::theme;
use crate::desktop::training::keeper;
use crate::desktop::widgets::{caption, mode_button, section, text_button};

/// Draws the choice, and what belongs to a cluster.
pub fn place(ui: &mut Ui, form: &mut Form) {
    ui.scope(|ui| choose(ui, form));
}

fn choose(ui: &mut Ui, form: &mut Form) {
    section(ui, "Where", |_| ());
    ui.horizontal(|ui| {
        let here = "In a process of its own on this computer.";
        if mode_button(ui, !form.cluster.chosen, "This computer", here).clicked() {
            form.cluster.chosen = false;
        }
        let there = "As a job of Slurm, here or over ssh on a login node.";
        if mode_button(ui, form.cluster.chosen, "Slurm cluster", there).clicked() {
            form.cluster.chosen = true;
            // Without a Slurm of its own, this computer must be told where one is.
            form.cluster_open |= problem(&form.cluster, &form.after).is_some();
        }
    });
    if !form.cluster.chosen {
        return;
    }
    // The ground of fields is that of this column.
    ui.visuals_mut().extreme_bg_color = theme::colors(ui).raised;
    choose_seeds(ui, form);
    let wrong = problem(&form.cluster, &form.after);
    let cluster = &mut form.cluster;
    text(
        ui,
        "Partition",
        "The cluster's own choice where it is empty.",
        &mut cluster.partition,
        "the cluster's choice",
    );
    let tooltip = "Minutes, 12:00:00 or 2-00:00:00. Before it is over the run writes a checkpoint and queues again.";
    text(ui, "Time limit", tooltip, &mut cluster.time, "24:00:00");
    line(ui, "Each job", "Of the run's job.", None, |ui| {
        let cores = ui.add(DragValue::new(&mut cluster.cores).range(1..=512).suffix(" cores"));
        cores.accessible_name("Cores").on_hover_text("Processor cores of the run's job.");
        let gpus = ui.add(DragValue::new(&mut cluster.gpus).range(0..=16).suffix(" GPUs"));
        gpus.accessible_name("GPUs")
            .on_hover_text("GPUs of the run's job; the program on the nodes must be built for them.");
    });
    text(ui, "Memory", "As Slurm writes it: 16G.", &mut cluster.memory, "16G");
    let tooltip = "Number of a job that must have succeeded before this one begins.";
    text(ui, "After job", tooltip, &mut form.after, "waits for no other job");
    if form.cluster_open {
        let tooltip = "Reached over ssh without a password. Empty: Slurm's commands are called on this computer.";
        text(ui, "Login node", tooltip, &mut cluster.host, "this computer");
        let tooltip = "Where runs are kept; every node and this computer must see it under this path.";
        text(ui, "Shared folder", tooltip, &mut cluster.folder, "the folder of all runs");
        text(ui, "Program", "negatoscope as the nodes see it.", &mut cluster.program, "this program");
        let tooltip = "The folder of sbatch and its kin, where they are not found without it.";
        text(ui, "Slurm's folder", tooltip, &mut cluster.commands, "found without it");
    } else {
        let host = if cluster.host.is_empty() { "this computer's Slurm" } else { &cluster.host };
        let folder = if cluster.folder.is_empty() { "the folder of all runs" } else { &cluster.folder };
        ui.horizontal_wrapped(|ui| {
            caption(ui, format!("Sent through {host}, kept in {folder}."));
            if text_button(ui, "Change…", "Login node, shared folder, program on the nodes.").clicked() {
                form.cluster_open = true;
            }
        });
    }
    caption(ui, "Runs that differ in more than the seed are sent as one array by `negatoscope submit`.");
    if let Some(wrong) = wrong {
        ui.label(RichText::new(wrong).font(theme::caption()).color(theme::colors(ui).danger));
    }
}

/// The seeds, and what the runs are called where there are several.
fn choose_seeds(ui: &mut Ui, form: &mut Form) {
    let typed = form.seeds();
    let problem = typed.as_ref().and_then(|seeds| seeds.as_ref().err());
    let own = form.text("seed");
    line(ui, "Seeds", SEEDS, problem.map(String::as_str), |ui| field(ui, "Seeds", SEEDS, &mut form.seeds, &own));
    if let (Some(spec), Some(Ok(seeds))) = (form.draft.spec(), &typed)
        && let [first, .., last] = seeds[..]
    {
        let (count, first, last) = (seeds.len(), seeds::name(spec, first), seeds::name(spec, last));
        caption(ui, format!("{count} runs in one array, {first} to {last}."));
    }
}

/// What the field of seeds is for.
const SEEDS: &str =
    "One run for each, all of them as one array: 1, 2, 3 or 1-3. The spec's own seed where it is empty.";

fn text(ui: &mut Ui, name: &str, tooltip: &str, value: &mut String, hint: &str) {
    line(ui, name, tooltip, None, |ui| field(ui, name, tooltip, value, hint));
}

fn field(ui: &mut Ui, name: &str, tooltip: &str, value: &mut String, hint: &str) {
    let width = (ui.available_width() - 12.0).clamp(80.0, 260.0);
    let edit = TextEdit::singleline(value).desired_width(width).margin(vec2(6.0, 4.0)).hint_text(hint);
    ui.add(edit).accessible_name(name).on_hover_text(tooltip);
}

/// The number of the job to wait for, if there is one; or what is wrong with it, in a sentence.
pub fn dependency(after: &str) -> Result<Option<u64>, &'static str> {
    match after.trim() {
        "" => Ok(None),
        number => number.parse().map(Some).map_err(|_| "The job to wait for is named by its number, such as 1234."),
    }
}

/// Why nothing can be sent, in a sentence.
pub fn problem(cluster: &ClusterChoice, after: &str) -> Option<&'static str> {
    if !keeper::slurm(cluster).is_there() {
        return Some("Slurm's commands are not found on this computer: name a login node, or Slurm's folder.");
    }
    let absolute = |text: &str| text.trim().is_empty() || text.trim().starts_with('/');
    if !absolute(&cluster.folder) || !absolute(&cluster.program) {
        return Some("Folder and program must be whole paths that begin with a slash: the nodes start elsewhere.");
    }
    if cluster.time.trim().is_empty() || cluster.memory.trim().is_empty() {
        return Some("Give a time limit and memory.");
    }
    dependency(after).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_said_before_it_is_tried() {
        let good = ClusterChoice { host: "login".to_owned(), ..ClusterChoice::default() };
        assert_eq!(problem(&good, ""), None);
        assert_eq!((problem(&good, " 41 "), dependency(" 41 ")), (None, Ok(Some(41))));
        assert!(problem(&good, "afterok").is_some_and(|text| text.contains("its number")));
        let said = |change: fn(&mut ClusterChoice)| {
            let mut choice = good.clone();
            change(&mut choice);
            problem(&choice, "").unwrap_or_default()
        };
        assert!(said(|c| c.folder = "runs".to_owned()).contains("whole paths"));
        assert!(said(|c| c.time.clear()).contains("time limit"));
        let nowhere = |c: &mut ClusterChoice| (c.host.clear(), c.commands = "/nowhere".to_owned()).1;
        assert!(said(nowhere).contains("name a login node"));
    }
}
