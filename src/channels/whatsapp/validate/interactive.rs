//! Buttons, lists, links and flows.

use std::collections::HashSet;

use super::{filled, invalid, length, optional, web_link};
use crate::domain::message::{Interactive, InteractiveAction, ListSection, ReplyButton};
use crate::domain::refusal::Refusal;

/// Body of a message with buttons, a link or a flow.
const BODY_MAX: usize = 1_024;
/// Body of a message with a list.
const LIST_BODY_MAX: usize = 4_096;
/// Text of the header, and of the footer.
const HEADER_FOOTER_MAX: usize = 60;
const BUTTONS_MAX: usize = 3;
/// Title of a reply button; label of a link; text that opens a list.
const BUTTON_TITLE_MAX: usize = 20;
const BUTTON_ID_MAX: usize = 256;
/// In all sections together; as many sections at most.
const ROWS_MAX: usize = 10;
/// Title of a row, and of a section.
const ROW_TITLE_MAX: usize = 24;
const ROW_ID_MAX: usize = 200;
const ROW_DESCRIPTION_MAX: usize = 72;
/// Meta advises at most 30.
const FLOW_BUTTON_MAX: usize = 30;

pub(super) fn validate_interactive(interactive: &Interactive) -> Result<(), Refusal> {
    let at = "content.interactive";
    optional(&format!("{at}.header"), interactive.header.as_deref(), HEADER_FOOTER_MAX)?;
    optional(&format!("{at}.footer"), interactive.footer.as_deref(), HEADER_FOOTER_MAX)?;
    let is_list = matches!(interactive.action, InteractiveAction::List { .. });
    length(&format!("{at}.body"), &interactive.body, if is_list { LIST_BODY_MAX } else { BODY_MAX })?;
    match &interactive.action {
        InteractiveAction::Buttons { buttons } => validate_buttons(buttons),
        InteractiveAction::List { button, sections } => {
            label(&format!("{at}.action.button"), button, BUTTON_TITLE_MAX)?;
            validate_sections(sections)
        }
        InteractiveAction::CallToAction { display_text, url } => {
            label(&format!("{at}.action.display_text"), display_text, BUTTON_TITLE_MAX)?;
            web_link(&format!("{at}.action.url"), url)
        }
        InteractiveAction::Flow { flow_id, flow_token, button, screen } => {
            filled(&format!("{at}.action.flow_id"), flow_id)?;
            filled(&format!("{at}.action.flow_token"), flow_token)?;
            label(&format!("{at}.action.button"), button, FLOW_BUTTON_MAX)?;
            screen.as_deref().map_or(Ok(()), |screen| filled(&format!("{at}.action.screen"), screen))
        }
    }
}

fn validate_buttons(buttons: &[ReplyButton]) -> Result<(), Refusal> {
    let field = "content.interactive.action.buttons";
    if !(1..=BUTTONS_MAX).contains(&buttons.len()) {
        return Err(invalid(field, format!("there are 1 to {BUTTONS_MAX} reply buttons")));
    }
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    for (index, button) in buttons.iter().enumerate() {
        let (id, title) = (format!("{field}[{index}].id"), format!("{field}[{index}].title"));
        length(&id, &button.id, BUTTON_ID_MAX)?;
        label(&title, &button.title, BUTTON_TITLE_MAX)?;
        if !ids.insert(button.id.as_str()) {
            return Err(invalid(id, "another button has it already"));
        }
        if !titles.insert(button.title.as_str()) {
            return Err(invalid(title, "another button says it already"));
        }
    }
    Ok(())
}

fn validate_sections(sections: &[ListSection]) -> Result<(), Refusal> {
    let field = "content.interactive.action.sections";
    let rows: usize = sections.iter().map(|section| section.rows.len()).sum();
    if !(1..=ROWS_MAX).contains(&rows) {
        return Err(invalid(field, format!("a list has 1 to {ROWS_MAX} rows in all its sections")));
    }
    let mut ids = HashSet::new();
    for (index, section) in sections.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if section.rows.is_empty() {
            return Err(invalid(format!("{field}.rows"), "a section has at least one row"));
        }
        let title = format!("{field}.title");
        if sections.len() > 1 && section.title.is_none() {
            return Err(invalid(title, "where there are several sections, each has a title"));
        }
        optional(&title, section.title.as_deref(), ROW_TITLE_MAX)?;
        for (index, row) in section.rows.iter().enumerate() {
            let field = format!("{field}.rows[{index}]");
            length(&format!("{field}.id"), &row.id, ROW_ID_MAX)?;
            length(&format!("{field}.title"), &row.title, ROW_TITLE_MAX)?;
            optional(&format!("{field}.description"), row.description.as_deref(), ROW_DESCRIPTION_MAX)?;
            if !ids.insert(row.id.as_str()) {
                return Err(invalid(format!("{field}.id"), "another row has it already"));
            }
        }
    }
    Ok(())
}

/// The text on a button: short, no emoji, no variables.
fn label(field: &str, text: &str, max: usize) -> Result<(), Refusal> {
    length(field, text, max)?;
    if text.chars().any(is_emoji) {
        return Err(invalid(field, "a button carries no emoji"));
    }
    if text.contains("{{") {
        return Err(invalid(field, "a button carries no variables"));
    }
    Ok(())
}

/// Whether a letter is shown as a picture, or makes its neighbour one: the blocks in which Unicode
/// keeps emoji, their joiner, their keycap and their selector.
fn is_emoji(letter: char) -> bool {
    matches!(letter,
        '\u{1F000}'..='\u{1FAFF}' | '\u{E0020}'..='\u{E007F}' | '\u{2600}'..='\u{27BF}'
        | '\u{2B05}'..='\u{2B55}' | '\u{231A}'..='\u{231B}' | '\u{23E9}'..='\u{23FA}'
        | '\u{200D}' | '\u{20E3}' | '\u{FE0F}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}')
}
