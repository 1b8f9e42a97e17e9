//! What can go wrong inside a party, sorted by what happens then.

use coordinator::release::ReleaseError;
use coordinator::rounds::close::CloseError;
use daemon::facts::FactError;
use daemon::store::StoreError;
use round::refusal::Refusal;

/// Why a party did not do something.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The disk is full: nothing was changed, the process works on and tries again.
    #[error("the disk is full")]
    Full,
    /// The store halted: the process ends and is started again.
    #[error("the store halted")]
    Crash,
    /// A machine refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something that must not happen under any schedule.
    #[error("{0}")]
    Broken(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::Full,
            StoreError::Io { .. } | StoreError::Halted { .. } => Self::Crash,
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<FactError> for Trouble {
    fn from(error: FactError) -> Self {
        match error {
            FactError::Store(error) => error.into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<coordinator::rounds::desk::DeskError> for Trouble {
    fn from(error: coordinator::rounds::desk::DeskError) -> Self {
        use coordinator::rounds::desk::DeskError;
        match error {
            DeskError::Refused(refusal) => Self::Refused(refusal),
            DeskError::Store(error) => error.into(),
        }
    }
}

impl From<coordinator::helper::desk::DeskError> for Trouble {
    fn from(error: coordinator::helper::desk::DeskError) -> Self {
        use coordinator::helper::desk::DeskError;
        match error {
            DeskError::Refused(refusal) => Self::Refused(refusal),
            DeskError::Store(error) => error.into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<CloseError> for Trouble {
    fn from(error: CloseError) -> Self {
        match error {
            CloseError::Desk(error) => error.into(),
            CloseError::Fact(error) => error.into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<ReleaseError> for Trouble {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::Fact(error) => error.into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<anyhow::Error> for Trouble {
    /// The node's own code reports with `anyhow`.
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<FactError>() {
            Ok(error) => error.into(),
            Err(error) => match error.downcast::<StoreError>() {
                Ok(error) => error.into(),
                Err(error) => Self::Broken(format!("{error:#}")),
            },
        }
    }
}
