CREATE TABLE `open_holds` (
	`user_id` text NOT NULL,
	`container_group_id` text NOT NULL,
	`org_name` text NOT NULL,
	`project_name` text NOT NULL,
	`container_group_name` text NOT NULL,
	`begun` integer NOT NULL,
	PRIMARY KEY(`user_id`, `container_group_id`)
);
