CREATE TABLE `attempts` (
	`job_id` text NOT NULL,
	`number` integer NOT NULL,
	`machine_id` text,
	`instance_id` text,
	`claimed` integer NOT NULL,
	`acknowledged` integer,
	`command_started` integer,
	`died_early` integer DEFAULT false NOT NULL,
	`ended` integer,
	`end` text,
	`end_op` text,
	`exit_code` integer,
	`signal` text,
	`reason` text,
	`bytes_downloaded` integer,
	`bytes_uploaded` integer,
	PRIMARY KEY(`job_id`, `number`)
);
--> statement-breakpoint
CREATE TABLE `bans` (
	`job_id` text NOT NULL,
	`machine_id` text NOT NULL,
	`expires` integer NOT NULL,
	PRIMARY KEY(`job_id`, `machine_id`)
);
--> statement-breakpoint
CREATE TABLE `jobs` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`container_group_id` text NOT NULL,
	`status` text DEFAULT 'pending' NOT NULL,
	`command` text NOT NULL,
	`arguments` text NOT NULL,
	`environment` text NOT NULL,
	`sync` text,
	`legacy_storage` text,
	`webhook` text,
	`compression` integer DEFAULT false NOT NULL,
	`priority` integer DEFAULT 0 NOT NULL,
	`max_failures` integer NOT NULL,
	`heartbeat_interval` integer NOT NULL,
	`created` integer NOT NULL,
	`started` integer,
	`completed` integer,
	`canceled` integer,
	`failed` integer,
	`heartbeat` integer,
	`num_failures` integer DEFAULT 0 NOT NULL,
	`num_heartbeats` integer DEFAULT 0 NOT NULL,
	`num_interruptions` integer DEFAULT 0 NOT NULL,
	`machine_id` text,
	`retry_delay` integer DEFAULT 0 NOT NULL,
	`available_at` integer DEFAULT 0 NOT NULL,
	`early_deaths` text DEFAULT '[]' NOT NULL,
	`failed_reason` text,
	`attempt` integer DEFAULT 0 NOT NULL,
	`fresh` integer DEFAULT 1 NOT NULL,
	`last_op` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_id` ON `jobs` (`id`);--> statement-breakpoint
CREATE INDEX `jobs_queue` ON `jobs` (`user_id`,`container_group_id`,"priority" DESC,`fresh`,`created`,`available_at`) WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX `jobs_running` ON `jobs` (`user_id`,`container_group_id`,`created`) WHERE status = 'running';--> statement-breakpoint
CREATE INDEX `jobs_by_user` ON `jobs` (`user_id`,`created`);--> statement-breakpoint
CREATE INDEX `jobs_by_user_status` ON `jobs` (`user_id`,`status`,`created`);--> statement-breakpoint
CREATE INDEX `jobs_by_user_group` ON `jobs` (`user_id`,`container_group_id`,`created`);--> statement-breakpoint
CREATE INDEX `jobs_by_user_group_status` ON `jobs` (`user_id`,`container_group_id`,`status`,`created`);--> statement-breakpoint
CREATE TABLE `tokens` (
	`hash` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`org_name` text NOT NULL,
	`project_name` text NOT NULL,
	`created` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`username` text NOT NULL,
	`created` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_username` ON `users` (`username`);