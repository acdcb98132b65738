CREATE TABLE `deliveries` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`job_id` text NOT NULL,
	`number` integer NOT NULL,
	`event` text NOT NULL,
	`url` text NOT NULL,
	`attempt` integer NOT NULL,
	`machine_id` text,
	`container_group_id` text NOT NULL,
	`created` integer NOT NULL,
	`op` text NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	`due` integer,
	`lease_op` text,
	`delivered` integer,
	`abandoned` integer,
	`last_status` integer,
	`last_error` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `deliveries_op` ON `deliveries` (`job_id`,`op`,`event`);--> statement-breakpoint
CREATE UNIQUE INDEX `deliveries_by_job` ON `deliveries` (`job_id`,`number`);--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`due`) WHERE due IS NOT NULL;--> statement-breakpoint
CREATE INDEX `deliveries_by_user` ON `deliveries` (`user_id`,`seq`);--> statement-breakpoint
CREATE TABLE `groups` (
	`user_id` text NOT NULL,
	`container_group_id` text NOT NULL,
	`paused` integer,
	PRIMARY KEY(`user_id`, `container_group_id`)
);
--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`user_id` text NOT NULL,
	`key_hash` text NOT NULL,
	`request_hash` text NOT NULL,
	`job_ids` text NOT NULL,
	`created` integer NOT NULL,
	PRIMARY KEY(`user_id`, `key_hash`)
);
--> statement-breakpoint
CREATE INDEX `idempotency_keys_created` ON `idempotency_keys` (`created`);--> statement-breakpoint
CREATE TABLE `salad_groups` (
	`user_id` text NOT NULL,
	`container_group_id` text NOT NULL,
	`project_name` text NOT NULL,
	`container_group_name` text NOT NULL,
	`seen` integer NOT NULL,
	PRIMARY KEY(`user_id`, `container_group_id`)
);
--> statement-breakpoint
CREATE TABLE `scaling_rules` (
	`user_id` text NOT NULL,
	`container_group_id` text NOT NULL,
	`org_name` text NOT NULL,
	`project_name` text NOT NULL,
	`container_group_name` text NOT NULL,
	`min_replicas` integer NOT NULL,
	`max_replicas` integer NOT NULL,
	`idle_threshold_seconds` integer NOT NULL,
	`created` integer NOT NULL,
	`updated` integer NOT NULL,
	PRIMARY KEY(`user_id`, `container_group_id`)
);
--> statement-breakpoint
ALTER TABLE `jobs` ADD `webhook_events` text;--> statement-breakpoint
ALTER TABLE `jobs` ADD `ended` integer GENERATED ALWAYS AS (COALESCE(completed, failed, canceled)) VIRTUAL;--> statement-breakpoint
CREATE INDEX `jobs_by_user_machine` ON `jobs` (`user_id`,`machine_id`,`created`) WHERE machine_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `jobs_ended` ON `jobs` (`ended`) WHERE ended IS NOT NULL;--> statement-breakpoint
ALTER TABLE `outputs` ADD `kept` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `tokens` ADD `id` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `tokens` ADD `name` text;--> statement-breakpoint
ALTER TABLE `tokens` ADD `role` text DEFAULT 'user' NOT NULL;--> statement-breakpoint
ALTER TABLE `tokens` ADD `container_group_id` text;--> statement-breakpoint
ALTER TABLE `tokens` ADD `expires` integer;--> statement-breakpoint
CREATE INDEX `tokens_by_user` ON `tokens` (`user_id`,`created`);--> statement-breakpoint
ALTER TABLE `users` ADD `organization_id` text;--> statement-breakpoint
ALTER TABLE `users` ADD `webhook_nonce` text;--> statement-breakpoint
ALTER TABLE `users` ADD `webhook_nonce_before` text;--> statement-breakpoint
ALTER TABLE `users` ADD `webhook_rotated` integer;--> statement-breakpoint
-- Tokens of before get a name for lists.
UPDATE `tokens` SET `id` = lower(hex(randomblob(16))) WHERE `id` = '';
