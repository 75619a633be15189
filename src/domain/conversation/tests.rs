mod golden;
mod merging;
mod orders;
mod rules;
mod sending;
mod world;
