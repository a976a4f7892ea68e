//! Unlocking, and the prompts with which the service asks a person.

use futures_util::future::{Either, select};
use futures_util::{StreamExt, pin_mut};
use zbus::message::Type;
use zbus::zvariant::{OwnedObjectPath, Value};
use zbus::{MatchRule, MessageStream};

use super::bus::{Bus, NAME, SERVICE, SERVICE_INTERFACE};
use super::failure::{Failure, Outcome};
use super::watch::owner_changes;
use crate::{Code, Error};

const PROMPT_INTERFACE: &str = "org.freedesktop.Secret.Prompt";
/// Shows the prompts of gnome-keyring, which dismisses them itself where this is missing.
const GNOME_PROMPTER: &str = "org.gnome.keyring.SystemPrompter";
/// The path that stands for "no prompt is needed".
const NO_PROMPT: &str = "/";

/// Unlocks a collection. Blocks for as long as a person takes, where one may be asked.
pub(super) async fn unlock(bus: &Bus, collection: &OwnedObjectPath, interactive: bool) -> Outcome<()> {
    let reply = bus.call(SERVICE, SERVICE_INTERFACE, "Unlock", &(vec![collection.as_ref()],)).await?;
    let (unlocked, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) = reply.body().deserialize()?;
    if prompt.as_str() == NO_PROMPT {
        // KWallet names what it unlocked, gnome-keyring what is unlocked already; an empty answer means neither.
        return if unlocked.contains(collection) { Ok(()) } else { Err(cannot_unlock().into()) };
    }
    run(bus, &prompt, interactive).await
}

/// Carries out what waits behind a prompt, if there is one.
pub(super) async fn finish(bus: &Bus, prompt: &OwnedObjectPath, interactive: bool) -> Outcome<()> {
    if prompt.as_str() == NO_PROMPT { Ok(()) } else { run(bus, prompt, interactive).await }
}

async fn run(bus: &Bus, prompt: &OwnedObjectPath, interactive: bool) -> Outcome<()> {
    if !interactive {
        // The prompt was never shown; dismissing it lets the service forget it.
        let _dismissed = bus.call(prompt.as_str(), PROMPT_INTERFACE, "Dismiss", &()).await;
        return Err(interaction_required().into());
    }
    let completed = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(NAME)?
        .path(prompt.as_str())?
        .interface(PROMPT_INTERFACE)?
        .member("Completed")?
        .build();
    let completed = MessageStream::for_match_rule(completed, &bus.connection, Some(4)).await?;
    let gone = owner_changes(bus).await?;
    // The window to show it above: none of ours.
    bus.call(prompt.as_str(), PROMPT_INTERFACE, "Prompt", &("",)).await?;

    pin_mut!(completed, gone);
    let answer = match select(completed.next(), gone.next()).await {
        Either::Left((Some(Ok(answer)), _)) => answer,
        Either::Left((Some(Err(error)), _)) => return Err(error.into()),
        Either::Left((None, _)) | Either::Right(_) => {
            return Err(Failure::Lost(zbus::Error::Failure("the service went while a prompt was open".into())));
        }
    };
    let (dismissed, _result): (bool, Value<'_>) = answer.body().deserialize()?;
    if dismissed { Err(dismissal(bus).await.into()) } else { Ok(()) }
}

/// Tells apart a person who declined and a prompt that nobody could see.
async fn dismissal(bus: &Bus) -> Error {
    let gnome = bus.service_program().await.is_some_and(|program| program == "gnome-keyring-daemon");
    if gnome && !gnome_can_ask(bus).await {
        return Error::new(Code::Locked, "the keyring is locked, and it has no way to ask for its password here")
            .with_hint(
                "unlock it where a prompt can be shown, or with gnome-keyring-daemon --unlock as the session starts",
            );
    }
    Error::new(Code::PromptDismissed, "the prompt to unlock the keyring was dismissed")
        .with_hint("try again and answer it")
}

async fn gnome_can_ask(bus: &Bus) -> bool {
    if bus.ask_daemon::<_, bool>("NameHasOwner", &GNOME_PROMPTER).await.unwrap_or(true) {
        return true;
    }
    let display =
        ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    display && bus.can_start(GNOME_PROMPTER).await.unwrap_or(true)
}

fn interaction_required() -> Error {
    Error::new(Code::InteractionRequired, "the keyring is locked, and only a person can unlock it")
        .with_hint("unlock the keyring, or allow prompts")
}

fn cannot_unlock() -> Error {
    Error::new(Code::Locked, "the keyring is locked, and the service would not unlock it")
        .with_hint("unlock it with the keyring's own program")
}
