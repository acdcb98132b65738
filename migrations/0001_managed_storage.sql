CREATE TABLE `checkpoints` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`job_id` text NOT NULL,
	`prefix` text NOT NULL,
	`attempt` integer NOT NULL,
	`generation` integer NOT NULL,
	`base_seq` integer,
	`manifest_sha256` text NOT NULL,
	`manifest_bytes` integer NOT NULL,
	`committed` integer NOT NULL,
	`files` integer NOT NULL,
	`bytes_new` integer NOT NULL,
	`bytes_total` integer NOT NULL,
	`quiet` integer NOT NULL,
	`retired` integer,
	`purged` integer,
	`damaged` integer,
	`doubts` text DEFAULT '[]' NOT NULL,
	`op` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `checkpoints_name` ON `checkpoints` (`job_id`,`attempt`,`generation`);--> statement-breakpoint
CREATE INDEX `checkpoints_series` ON `checkpoints` (`job_id`,`prefix`,`seq`) WHERE retired IS NULL;--> statement-breakpoint
CREATE INDEX `checkpoints_unpurged` ON `checkpoints` (`retired`) WHERE retired IS NOT NULL AND purged IS NULL;--> statement-breakpoint
CREATE TABLE `outputs` (
	`user_id` text NOT NULL,
	`key` text NOT NULL,
	`job_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`bytes` integer NOT NULL,
	`etag` text NOT NULL,
	`uploaded` integer NOT NULL,
	PRIMARY KEY(`user_id`, `key`, `job_id`, `attempt`)
);
--> statement-breakpoint
CREATE INDEX `outputs_by_attempt` ON `outputs` (`job_id`,`attempt`);--> statement-breakpoint
CREATE TABLE `storage_garbage` (
	`prefix` text PRIMARY KEY NOT NULL,
	`due` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `storage_garbage_due` ON `storage_garbage` (`due`);--> statement-breakpoint
ALTER TABLE `attempts` ADD `unswept` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `attempts_unswept` ON `attempts` (`ended`) WHERE unswept = 1 AND ended IS NOT NULL;--> statement-breakpoint
ALTER TABLE `jobs` ADD `managed` integer DEFAULT false NOT NULL;