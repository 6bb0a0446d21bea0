"""How much a file may cost before it is refused. Plain values, so that a reading process starts without pydantic."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for reading one file; megabytes are 10^6 bytes. `IntakeSettings` says what each default is for."""

    max_file_mb: float = 64.0
    max_characters: int = 2_000_000
    max_table_mb: float = 4096.0
    max_archive_mb: float = 4096.0
    max_expanded_mb: float = 16384.0
    max_members: int = 200_000
    max_seconds: float = 60.0
    max_memory_mb: int = 2048
    ocr: bool = False
    ocr_languages: str = "eng"
    ocr_max_seconds: float = 1800.0
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def max_file_bytes(self) -> int:
        """The most that one document's file may hold."""
        return int(self.max_file_mb * 1_000_000)


DEFAULT = Limits()
