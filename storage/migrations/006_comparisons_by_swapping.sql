-- The p of swapping whole dialogues between the two systems: right for few dialogues too. NULL in comparisons from before.

ALTER TABLE comparisons ADD COLUMN swap_p DOUBLE;
