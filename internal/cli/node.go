package cli

type connection struct{}
