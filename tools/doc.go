// Package tools has no code: its module fixes the versions of the tools that ./check
// runs, apart from what users of the library need.
package tools
