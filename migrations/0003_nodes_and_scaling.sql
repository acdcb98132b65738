CREATE TABLE `scaling_events` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` text NOT NULL,
	`container_group_id` text NOT NULL,
	`at` integer NOT NULL,
	`trigger` text NOT NULL,
	`action` text NOT NULL,
	`inputs` text NOT NULL,
	`wanted` integer,
	`replicas_before` integer,
	`replicas_after` integer,
	`reason` text NOT NULL,
	`error` text
);
--> statement-breakpoint
CREATE INDEX `scaling_events_by_rule` ON `scaling_events` (`user_id`,`container_group_id`,`seq`);--> statement-breakpoint
CREATE INDEX `scaling_events_at` ON `scaling_events` (`at`);--> statement-breakpoint
ALTER TABLE `attempts` ADD `cause` text;--> statement-breakpoint
ALTER TABLE `attempts` ADD `node` text;--> statement-breakpoint
ALTER TABLE `jobs` ADD `stop_signal` text DEFAULT 'SIGTERM' NOT NULL;--> statement-breakpoint
ALTER TABLE `jobs` ADD `stop_grace` integer DEFAULT 30 NOT NULL;--> statement-breakpoint
ALTER TABLE `jobs` ADD `timeout` integer;--> statement-breakpoint
ALTER TABLE `jobs` ADD `stall_timeout` integer;--> statement-breakpoint
ALTER TABLE `jobs` ADD `progress` text;--> statement-breakpoint
ALTER TABLE `scaling_rules` ADD `jobs_per_replica` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `scaling_rules` ADD `scale_up_cooldown` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `scaling_rules` ADD `scale_down_cooldown` integer DEFAULT 900 NOT NULL;--> statement-breakpoint
ALTER TABLE `scaling_rules` ADD `paused` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `scaling_rules` ADD `scaled_up` integer;--> statement-breakpoint
ALTER TABLE `scaling_rules` ADD `scaled_down` integer;