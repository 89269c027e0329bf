"""Transforms: functions that turn a function into its derivative."""
