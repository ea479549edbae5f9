//! What can be typed about queues.

use clap::{Args, Subcommand};

use super::{ApiArgs, ChangeArgs, ListingArgs};

/// `wasmyard queues`.
#[derive(Debug, Subcommand)]
pub enum QueuesCommand {
    /// List the queues, with who consumes them and what waits
    List {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Show a queue: its settings, who sends to it, who consumes it, and what waits
    Info {
        /// Its name
        queue: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Make a queue
    Create {
        /// Its name
        queue: String,
        /// How it keeps messages.
        #[command(flatten)]
        settings: QueueSettingsArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Change the settings of a queue
    Update {
        /// Its name
        queue: String,
        /// How it keeps messages.
        #[command(flatten)]
        settings: QueueSettingsArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Delete a queue with all that is in it
    Delete {
        /// Its name
        queue: String,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Hand no messages over until `resume`
    Pause {
        /// The queue's name
        queue: String,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Hand messages over again
    Resume {
        /// The queue's name
        queue: String,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Remove all messages of a queue
    Purge {
        /// The queue's name
        queue: String,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Say who consumes a queue
    #[command(subcommand)]
    Consumer(ConsumerCommand),
    /// Send a message
    Send {
        /// The queue's name
        queue: String,
        /// The body: JSON, or with --text a text
        body: String,
        /// The body is a text
        #[arg(long)]
        text: bool,
        /// How many seconds it is not handed over
        #[arg(long, value_name = "SECONDS")]
        delay: Option<u64>,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Look at the oldest messages; nothing is handed over
    Peek {
        /// The queue's name
        queue: String,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 10)]
        count: u64,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Have messages handed over, of a queue whose consumer is `pull`; with --ack they are handled
    Pull {
        /// The queue's name
        queue: String,
        /// How many at most
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        /// How long nobody else has them, in seconds
        #[arg(long, value_name = "SECONDS")]
        visibility: Option<u64>,
        /// They are handled, and go
        #[arg(long)]
        ack: bool,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}

/// How a queue keeps messages.
#[derive(Debug, Args)]
pub struct QueueSettingsArgs {
    /// How many seconds a message is not handed over that does not say so itself
    #[arg(long, value_name = "SECONDS")]
    pub delay: Option<u64>,
    /// After how many seconds a message goes that nobody handled
    #[arg(long, value_name = "SECONDS")]
    pub retention: Option<u64>,
}

/// `wasmyard queues consumer`.
#[derive(Debug, Subcommand)]
pub enum ConsumerCommand {
    /// Have a script consume a queue, or change how it does
    Add {
        /// The queue's name
        queue: String,
        /// The script
        script: String,
        /// The namespace that the script belongs to
        #[arg(long, short = 'n', value_name = "NAMESPACE")]
        namespace: Option<String>,
        /// How long a batch waits until it is full, in seconds
        #[arg(long, value_name = "SECONDS")]
        batch_timeout: Option<u64>,
        /// How many batches are handled at the same time
        #[arg(long, value_name = "N")]
        max_concurrency: Option<u64>,
        /// How messages are handed over.
        #[command(flatten)]
        settings: ConsumerSettingsArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Have whoever pulls by HTTP consume a queue, or change how
    Pull {
        /// The queue's name
        queue: String,
        /// How long nobody else has messages that were pulled, in seconds
        #[arg(long, value_name = "SECONDS")]
        visibility: Option<u64>,
        /// How messages are handed over.
        #[command(flatten)]
        settings: ConsumerSettingsArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Take a queue's consumer away; its messages wait
    Remove {
        /// The queue's name
        queue: String,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// How messages are handed over.
#[derive(Debug, Args)]
pub struct ConsumerSettingsArgs {
    /// Messages of a batch at most
    #[arg(long, value_name = "N")]
    pub batch_size: Option<u64>,
    /// How often a message comes again
    #[arg(long, value_name = "N")]
    pub max_retries: Option<u64>,
    /// After how many seconds it comes again
    #[arg(long, value_name = "SECONDS")]
    pub retry_delay: Option<u64>,
    /// The queue that messages go to which came as often as they may
    #[arg(long, value_name = "QUEUE")]
    pub dead_letter_queue: Option<String>,
}
