//! The life of a key against a model of it: any sequence of steps, over several versions and restarts, written down from the
//! words of the service description and not from the table in the code.

use proptest::prelude::*;
use wardkeep_model::{EncryptionContext, KeySpec, KeyState, KeyUsage, KeyVersion};

use super::fixture::{Fixture, context, id, new_key};
use crate::KmsError;
use crate::service::{DeletionPlan, Precondition};

const NONE: Precondition = Precondition { revision: None };

#[derive(Debug, Clone, Copy)]
enum Op {
    Rotate,
    Enable(Option<u32>),
    Suspend(Option<u32>),
    Deactivate(Option<u32>),
    Compromise(Option<u32>),
    Schedule,
    Cancel,
    Destroy,
    Days(u64),
    Restart,
}

fn ops() -> impl Strategy<Value = Op> {
    let version = || prop::option::weighted(0.6, 1_u32..5);
    prop_oneof![
        4 => Just(Op::Rotate),
        3 => version().prop_map(Op::Enable),
        3 => version().prop_map(Op::Suspend),
        2 => version().prop_map(Op::Deactivate),
        2 => version().prop_map(Op::Compromise),
        1 => Just(Op::Schedule),
        2 => Just(Op::Cancel),
        1 => Just(Op::Destroy),
        2 => (1_u64..9).prop_map(Op::Days),
        1 => Just(Op::Restart),
    ]
}

/// A key as the words have it.
struct Model {
    states: Vec<KeyState>,
    /// Days until the deletion that is scheduled; below zero once it is past.
    deletion: Option<i64>,
}

impl Model {
    fn destroyed(&self) -> bool {
        self.states[0] == KeyState::Destroyed
    }

    /// Verbs that change something and are no way back from a deletion.
    fn open(&self) -> Result<(), &'static str> {
        match (self.destroyed(), self.deletion) {
            (true, _) => Err("key-destroyed"),
            (false, Some(_)) => Err("key-pending-deletion"),
            (false, None) => Ok(()),
        }
    }

    fn step(&mut self, version: Option<u32>, from: &[KeyState], to: KeyState) -> Result<(), &'static str> {
        self.open()?;
        let wanted = |at: usize| version.is_none_or(|number| number as usize == at + 1);
        if version.is_some_and(|number| number as usize > self.states.len()) {
            return Err("version-not-found");
        }
        let mut stepped = false;
        for (at, state) in self.states.iter_mut().enumerate() {
            if wanted(at) && from.contains(state) {
                (*state, stepped) = (to, true);
            }
        }
        if stepped { Ok(()) } else { Err("no-transition") }
    }

    fn apply(&mut self, op: Op) -> Result<(), &'static str> {
        use KeyState::{Active, Compromised, Deactivated, Destroyed, PreActivation, Suspended};
        match op {
            Op::Rotate => {
                self.open()?;
                if matches!(self.states.last(), Some(PreActivation | Suspended)) {
                    return Err("key-state-forbids");
                }
                self.states.iter_mut().filter(|state| **state == Active).for_each(|state| *state = Deactivated);
                self.states.push(Active);
                Ok(())
            }
            Op::Enable(version) => self.step(version, &[PreActivation, Suspended], Active),
            Op::Suspend(version) => self.step(version, &[Active], Suspended),
            Op::Deactivate(version) => self.step(version, &[Active, Suspended], Deactivated),
            Op::Compromise(version) => {
                self.step(version, &[PreActivation, Active, Suspended, Deactivated], Compromised)
            }
            Op::Schedule => {
                self.open()?;
                self.deletion = Some(7);
                Ok(())
            }
            Op::Cancel => {
                if self.destroyed() {
                    return Err("key-destroyed");
                }
                self.deletion.take().map(drop).ok_or("no-deletion-scheduled")
            }
            Op::Destroy => {
                if self.destroyed() {
                    return Err("key-destroyed");
                }
                if self.deletion.ok_or("no-deletion-scheduled")? > 0 {
                    return Err("deletion-not-due");
                }
                self.deletion = None;
                self.states.iter_mut().for_each(|state| *state = Destroyed);
                Ok(())
            }
            Op::Days(days) => {
                self.deletion = self.deletion.map(|left| left - i64::try_from(days).unwrap());
                Ok(())
            }
            Op::Restart => Ok(()),
        }
    }

    /// Whether what a version protected opens.
    fn opens(&self, at: usize, with_right: bool) -> bool {
        let state = self.states[at];
        let readable = matches!(state, KeyState::Active | KeyState::Deactivated);
        self.deletion.is_none() && (readable || (with_right && state == KeyState::Compromised))
    }

    fn protects(&self) -> bool {
        self.deletion.is_none() && self.states.last() == Some(&KeyState::Active)
    }
}

async fn apply(fixture: &mut Fixture, op: Op) -> Result<(), KmsError> {
    let key = id("ring/key");
    let number = |version: Option<u32>| version.and_then(KeyVersion::new);
    let kms = fixture.kms.clone();
    match op {
        Op::Rotate => kms.rotate_key(fixture.permit(&key), &key, NONE, None).await.map(drop),
        Op::Enable(version) => kms.enable_key(fixture.permit(&key), &key, number(version), NONE, None).await.map(drop),
        Op::Suspend(version) => {
            kms.suspend_key(fixture.permit(&key), &key, number(version), NONE, None).await.map(drop)
        }
        Op::Deactivate(version) => {
            kms.deactivate_key(fixture.permit(&key), &key, number(version), NONE, None).await.map(drop)
        }
        Op::Compromise(version) => {
            kms.compromise_key(fixture.permit(&key), &key, number(version), NONE, None).await.map(drop)
        }
        Op::Schedule => {
            let plan = DeletionPlan { days: 7 };
            kms.schedule_deletion(fixture.permit(&key), &key, plan, NONE, None).await.map(drop)
        }
        Op::Cancel => kms.cancel_deletion(fixture.permit(&key), &key, NONE, None).await.map(drop),
        Op::Destroy => kms.destroy_key(fixture.permit(&key), &key, NONE, None).await.map(drop),
        Op::Days(days) => {
            fixture.clock.advance_days(days);
            Ok(())
        }
        Op::Restart => {
            fixture.kms = fixture.restarted();
            Ok(())
        }
    }
}

async fn live(activate: bool, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut fixture = Fixture::new().await;
    let (key, bound) = (id("ring/key"), context("life"));
    let mut new = new_key("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap);
    new.activate = activate;
    fixture.kms.create_key(fixture.permit(&key), new, None).await.unwrap();
    let first = if activate { KeyState::Active } else { KeyState::PreActivation };
    let mut model = Model { states: vec![first], deletion: None };
    // What each version protected, where it ever did.
    let mut made: Vec<Option<Vec<u8>>> = vec![None];
    for op in ops {
        let wanted = model.apply(*op);
        let said = apply(&mut fixture, *op).await;
        prop_assert_eq!(said.as_ref().map_err(KmsError::code).copied(), wanted, "{:?}", op);
        made.resize(model.states.len(), None);
        let info = fixture.kms.describe_key(fixture.permit(&key), &key).await.unwrap();
        let states: Vec<KeyState> = info.versions.iter().map(|version| version.state).collect();
        prop_assert_eq!(&states, &model.states, "after {:?}", op);
        prop_assert_eq!(info.deletion.is_some(), model.deletion.is_some());
        let generated = fixture.generate(&key, &bound).await;
        prop_assert_eq!(generated.is_ok(), model.protects(), "generate after {:?}: {:?}", op, generated.as_ref().err());
        if let Ok(generated) = generated {
            prop_assert_eq!(generated.version.get() as usize, model.states.len(), "always the newest");
            *made.last_mut().unwrap() = Some(generated.wrapped);
        }
        for (at, wrapped) in made.iter().enumerate() {
            let Some(wrapped) = wrapped else { continue };
            for with_right in [false, true] {
                let opened = open(&fixture, wrapped, &bound, with_right).await;
                prop_assert_eq!(
                    opened.is_ok(),
                    model.opens(at, with_right),
                    "version {} after {:?}: {:?}",
                    at + 1,
                    op,
                    opened
                );
            }
        }
    }
    Ok(())
}

async fn open(fixture: &Fixture, wrapped: &[u8], bound: &EncryptionContext, with_right: bool) -> Result<(), KmsError> {
    fixture.unwrap_as("ana", wrapped, bound, with_right).await.map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_key_lives_as_the_words_say(activate in prop::bool::weighted(0.8), ops in prop::collection::vec(ops(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(activate, &ops))?;
    }
}
