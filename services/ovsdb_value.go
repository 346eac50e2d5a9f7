package services

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// set is a column of any number of atoms, each as text: a string's own, a
// number's digits, a UUID's.
type set []string

// UnmarshalJSON reads an atom, or ["set", [atom, ...]].
func (s *set) UnmarshalJSON(data []byte) error {
	*s = nil
	var pair []json.RawMessage
	if json.Unmarshal(data, &pair) == nil && len(pair) == 2 && string(pair[0]) == `"set"` {
		var atoms []json.RawMessage
		if err := json.Unmarshal(pair[1], &atoms); err != nil {
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
		for _, a := range atoms {
			value, err := atom(a)
			if err != nil {
				return err
			}
			*s = append(*s, value)
		}
		return nil
	}
	value, err := atom(data)
	*s = set{value}
	return err
}

// uuid is ["uuid", "..."].
type uuid string

func (u *uuid) UnmarshalJSON(data []byte) error {
	value, err := atom(data)
	*u = uuid(value)
	return err
}

// table is ["map", [[key, value], ...]] of strings.
type table map[string]string

func (t *table) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil || len(pair) != 2 || string(pair[0]) != `"map"` {
		return fmt.Errorf("%w: %q is no map", errAnswer, text(data))
	}
	var entries [][2]string
	if err := json.Unmarshal(pair[1], &entries); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	*t = make(table, len(entries))
	for _, e := range entries {
		(*t)[e[0]] = e[1]
	}
	return nil
}

// atom is a string, a number, or ["uuid", "..."], as text.
func atom(data []byte) (string, error) {
	var value string
	if json.Unmarshal(data, &value) == nil {
		return value, nil
	}
	var number json.Number
	if json.Unmarshal(data, &number) == nil {
		return number.String(), nil
	}
	var pair [2]string
	if json.Unmarshal(data, &pair) == nil && pair[0] == "uuid" {
		return pair[1], nil
	}
	return "", fmt.Errorf("%w: %q is no atom", errAnswer, text(data))
}

// text is the one string of a column that may be empty.
func (s set) text() string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// number is the one number of a column that may be empty.
func (s set) number() *int {
	if len(s) == 0 {
		return nil
	}
	n, err := strconv.Atoi(s[0])
	if err != nil {
		return nil
	}
	return &n
}

func (s set) numbers() []int {
	var list []int
	for _, t := range s {
		if n, err := strconv.Atoi(t); err == nil {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}
