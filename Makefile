# What is done with more than one command. Building and testing are cargo's: `cargo build`, `tests/run.sh`.

.PHONY: help dist sizes test clean-dist

help:
	@echo 'make dist               static binaries for all machines, with checksums, into dist/'
	@echo 'make dist TARGETS=...   only for these targets'
	@echo 'make dist CROSS=1       the same in the containers of cross'
	@echo 'make sizes              what the binaries cost: bytes, memory, start, wake-ups, bytes written'
	@echo 'make test               everything there is to check'

dist:
	tools/dist.sh $(if $(CROSS),--cross) $(TARGETS)

sizes:
	tools/sizes.sh

test:
	tests/run.sh

clean-dist:
	rm -rf dist
