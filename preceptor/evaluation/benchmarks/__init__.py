"""Public benchmarks by name: multiple choice by likelihood, notes by generation, beside published figures."""
