//! What the sockets noted while they listened, and what restricted ones heard of others.

use std::collections::HashMap;

use super::Evidence;
use crate::document::Rule;
use crate::run::hear::RULES;

pub(super) fn judge(evidence: &Evidence) -> Vec<Rule> {
    let mut rules: Vec<Rule> = RULES.iter().map(|(name, about)| Rule::new(*name, *about)).collect();
    for (agent, heard) in evidence.heard.iter().enumerate() {
        for (rule, looked) in rules.iter_mut().zip(heard.looked) {
            let name = rule.rule.clone();
            let wrong: Vec<_> = heard.wrong.iter().filter(|wrong| wrong.rule == name).collect();
            rule.looked_at += looked.saturating_sub(wrong.len() as u64);
            for wrong in wrong {
                rule.broken(|| format!("agent {agent}: {}", wrong.what));
            }
        }
    }
    rules.push(leaked(evidence));
    rules
}

fn leaked(evidence: &Evidence) -> Rule {
    let mut rule = Rule::new("leaked", "nobody hears of a conversation that is not theirs to see");
    let of: HashMap<&str, Option<u32>> =
        evidence.threads.iter().map(|thread| (&*thread.id, evidence.number_of(&thread.account))).collect();
    for (agent, heard) in evidence.heard.iter().enumerate() {
        let Some(own) = heard.number else { continue };
        for conversation in &heard.conversations {
            match of.get(&**conversation) {
                Some(Some(number)) if *number != own => {
                    rule.broken(|| format!("agent {agent} of number {own} heard of {conversation} of number {number}"));
                }
                _ => rule.kept(),
            }
        }
    }
    rule
}
