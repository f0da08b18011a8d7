// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
)

// maxAdminBody bounds a request of the admin API, in bytes.
const maxAdminBody = 64 << 20

// newKey is the body of POST /keys.
type newKey struct {
	Key    string   `json:"key"`
	Models []string `json:"models"`
}

func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.write(w, "text/plain", []byte("ok\n"))
	})
	mux.HandleFunc("GET /ca.crt", s.getCA)
	mux.HandleFunc("GET /ledger", s.getLedger)
	mux.HandleFunc("GET /ledger/summary", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, s.Ledger.Summary())
	})
	mux.HandleFunc("DELETE /ledger", func(w http.ResponseWriter, _ *http.Request) {
		s.Ledger.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /behaviour", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, s.Behaviours.List())
	})
	mux.HandleFunc("POST /behaviour", s.postBehaviour)
	mux.HandleFunc("DELETE /behaviour", func(w http.ResponseWriter, _ *http.Request) {
		s.Behaviours.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, s.Keys.List())
	})
	mux.HandleFunc("POST /keys", s.postKey)
	mux.HandleFunc("DELETE /keys/{key}", s.deleteKey)
	return mux
}

func (s *Server) getCA(w http.ResponseWriter, _ *http.Request) {
	if len(s.CA()) == 0 {
		s.refuseAdmin(w, http.StatusNotFound, errors.New("the certificate was given without its authority"))
		return
	}
	s.write(w, "application/x-pem-file", s.CA())
}

func (s *Server) getLedger(w http.ResponseWriter, r *http.Request) {
	filter, err := filterOf(r.URL.Query())
	if err != nil {
		s.refuseAdmin(w, http.StatusBadRequest, err)
		return
	}
	s.writeJSON(w, http.StatusOK, s.Ledger.List(filter))
}

// filterOf reads a query; an unknown name would otherwise pick everything.
func filterOf(query url.Values) (ledger.Filter, error) {
	var filter ledger.Filter
	for name, values := range query {
		var err error
		switch value := values[0]; name {
		case "id":
			filter.ID, err = strconv.ParseInt(value, 10, 64)
		case "request_id":
			filter.RequestID = value
		case "path":
			filter.Path = value
		case "key":
			filter.Key = value
		case "outcome":
			filter.Outcome = ledger.Outcome(value)
		case "last":
			filter.Last, err = strconv.Atoi(value)
		default:
			err = errors.New("known are id, request_id, path, key, outcome, last")
		}
		if err != nil {
			return filter, fmt.Errorf("query %q: %w", name, err)
		}
	}
	return filter, nil
}

func (s *Server) postBehaviour(w http.ResponseWriter, r *http.Request) {
	var rule behaviour.Rule
	if err := s.read(w, r, &rule); err != nil {
		s.refuseAdmin(w, http.StatusBadRequest, err)
		return
	}
	if err := s.Behaviours.Add(rule); err != nil {
		s.refuseAdmin(w, http.StatusBadRequest, err)
		return
	}
	s.writeJSON(w, http.StatusCreated, s.Behaviours.List())
}

func (s *Server) postKey(w http.ResponseWriter, r *http.Request) {
	var wanted newKey
	if err := s.read(w, r, &wanted); err != nil {
		s.refuseAdmin(w, http.StatusBadRequest, err)
		return
	}
	grant, err := s.Keys.Add(wanted.Key, wanted.Models)
	if err != nil {
		s.refuseAdmin(w, http.StatusBadRequest, err)
		return
	}
	s.writeJSON(w, http.StatusCreated, grant)
}

func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) {
	if !s.Keys.Revoke(r.PathValue("key")) {
		s.refuseAdmin(w, http.StatusNotFound, errors.New("there is no such key or fingerprint"))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// read reads exactly one document without unknown fields.
func (s *Server) read(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the body: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body: one JSON document, please")
	}
	return nil
}

func (s *Server) refuseAdmin(w http.ResponseWriter, status int, err error) {
	s.writeJSON(w, status, map[string]string{"error": err.Error()})
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("content-type", jsonType)
	w.WriteHeader(status)
	s.logLeft(w.Write(append(data, '\n')))
}

func (s *Server) write(w http.ResponseWriter, contentType string, data []byte) {
	w.Header().Set("content-type", contentType)
	s.logLeft(w.Write(data))
}

// logLeft notes that a client of the admin API did not wait.
func (s *Server) logLeft(_ int, err error) {
	if err != nil {
		s.options.Log.Debug("A client of the admin API left", "error", err)
	}
}
