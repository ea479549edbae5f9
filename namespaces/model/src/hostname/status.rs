//! How far a custom hostname and its certificate have come.
//!
//! Owns the words of the v4 API. Clients refuse any other, so the list is closed.

use crate::closed::closed;

closed! {
    /// Whether a custom hostname is its customer's, and so whether its requests are taken.
    HostnameStatus {
        /// It is, and they are.
        Active = "active",
        /// Not yet known.
        Pending = "pending",
        /// It is, and is being set up again after a change.
        ActiveRedeploying = "active_redeploying",
        /// It is not, or no longer.
        Moved = "moved",
        /// It is about to go.
        PendingDeletion = "pending_deletion",
        /// It went, because it had moved for long.
        Deleted = "deleted",
        /// It is about to be blocked.
        PendingBlocked = "pending_blocked",
        /// It is about to come from elsewhere.
        PendingMigration = "pending_migration",
        /// It is about to be set up.
        PendingProvisioned = "pending_provisioned",
        /// A trial that is not yet known.
        TestPending = "test_pending",
        /// A trial that works.
        TestActive = "test_active",
        /// A trial that works at the top of a domain.
        TestActiveApex = "test_active_apex",
        /// A trial that is blocked.
        TestBlocked = "test_blocked",
        /// A trial that failed.
        TestFailed = "test_failed",
        /// It is set up.
        Provisioned = "provisioned",
        /// It is held by its owner, or forbidden.
        Blocked = "blocked",
    }
}

closed! {
    /// How far a certificate has come.
    SslStatus {
        /// It is being prepared.
        Initializing = "initializing",
        /// The authority wants to see that the name is the customer's.
        PendingValidation = "pending_validation",
        /// The authority makes it.
        PendingIssuance = "pending_issuance",
        /// It is there, and not yet used.
        PendingDeployment = "pending_deployment",
        /// It is used.
        Active = "active",
        /// It is about to go.
        PendingDeletion = "pending_deletion",
        /// It went.
        Deleted = "deleted",
        /// It is about to run out.
        PendingExpiration = "pending_expiration",
        /// It ran out.
        Expired = "expired",
        /// Preparing it took too long.
        InitializingTimedOut = "initializing_timed_out",
        /// Validation took too long.
        ValidationTimedOut = "validation_timed_out",
        /// The authority took too long.
        IssuanceTimedOut = "issuance_timed_out",
        /// Bringing it into use took too long.
        DeploymentTimedOut = "deployment_timed_out",
        /// Taking it away took too long.
        DeletionTimedOut = "deletion_timed_out",
        /// What is left of it is about to go.
        PendingCleanup = "pending_cleanup",
        /// It is being brought into use for a trial.
        StagingDeployment = "staging_deployment",
        /// It is used for a trial.
        StagingActive = "staging_active",
        /// It is being taken out of use.
        Deactivating = "deactivating",
        /// It is not used.
        Inactive = "inactive",
        /// A second one was made.
        BackupIssued = "backup_issued",
        /// It waits for its zone.
        HoldingDeployment = "holding_deployment",
    }
}

impl HostnameStatus {
    /// Whether requests for the name are taken.
    #[must_use]
    pub const fn is_served(self) -> bool {
        matches!(self, HostnameStatus::Active | HostnameStatus::ActiveRedeploying)
    }
}

impl SslStatus {
    /// Whether an authority is to issue a certificate.
    #[must_use]
    pub const fn awaits_issue(self) -> bool {
        matches!(self, SslStatus::Initializing | SslStatus::PendingValidation | SslStatus::PendingIssuance)
    }

    /// Whether a certificate is used, or on its way for a validation that succeeded: asking again orders no other.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        let is_used = matches!(self, SslStatus::Active | SslStatus::PendingExpiration);
        is_used || self.is_being_deployed()
    }

    /// Whether a certificate is there and is to be brought into use.
    #[must_use]
    pub const fn is_being_deployed(self) -> bool {
        matches!(self, SslStatus::PendingDeployment | SslStatus::DeploymentTimedOut)
    }

    /// Whether certificates are to be taken away.
    #[must_use]
    pub const fn is_being_deleted(self) -> bool {
        matches!(self, SslStatus::PendingDeletion | SslStatus::DeletionTimedOut)
    }
}
